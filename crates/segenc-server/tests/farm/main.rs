//! A real server on a loopback port, and scripted workers that make their bytes up.

mod files;
mod life;
mod page;
mod people;
mod rest;
mod start;
mod structure;
mod support;
mod uploads;
