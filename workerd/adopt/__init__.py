"""Reads what runs a project today (supervisor's files, crontabs, …) as definitions of jobs.

Pure: the standard library, ``wire``, ``job_rules`` and a few modules of the root. What is to be known of the project
is in a Context. Nothing is run or stopped, and no shell is asked.
"""
