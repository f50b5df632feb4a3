"""Runs, statistics, reports and pictures.

run         one controller on one scenario under one protocol, over seeds
statistics  means and bootstrap intervals over seeds
sizes       how large the scenarios are
compare     several controllers on several scenarios, by name
shadow      a policy beside a controller that stays in charge
report      comparison tables as text, Markdown and a page
picture     travel time over time
benchmark   speed on this machine
demo        the main job from training to the table, in minutes
"""
