//! Who gets which task: longest expected time first.
