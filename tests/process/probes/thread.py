"""Leaves a thread running as the project is loaded: births then take two forks, as where siblings cannot be forked."""

import threading

threading.Thread(target=threading.Event().wait, daemon=True).start()
