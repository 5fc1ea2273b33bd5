//! A real server on a loopback port, and scripted workers that make their bytes up.

mod backup;
mod cuts;
mod files;
mod library;
mod life;
mod looking_on;
mod page;
mod people;
mod rest;
mod start;
mod steering;
mod structure;
mod support;
mod uploads;
mod walk;
