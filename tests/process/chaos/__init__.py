"""A Django app that leaves sessions open wherever a fork could inherit one, and jobs that notice a mangled answer."""
