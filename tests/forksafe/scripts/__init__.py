"""The stories: functions without arguments that run in a fresh process and return what is to be asserted."""
