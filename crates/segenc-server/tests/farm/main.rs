//! A real server on a loopback port, and scripted workers that make their bytes up.

mod files;
mod life;
mod rest;
mod start;
mod support;
mod uploads;
