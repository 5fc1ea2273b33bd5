// Before anything is painted: the theme that was chosen here, if one was.
(function () {
  try {
    var theme = localStorage.getItem('segenc-theme');
    if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
  } catch {
    // Without storage the system's theme holds.
  }
})();
