"""The migration of 0.1.0 as it is, in front of a made-up one."""

from importlib import import_module

Migration = import_module("workerd.migrations.0001_initial").Migration
