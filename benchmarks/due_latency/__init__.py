"""How soon after its due moment a scheduled job runs, and what schedules cost a daemon at rest."""
