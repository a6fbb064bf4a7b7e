"""A file with the makings of an Airflow Dag that cannot be imported."""

raise RuntimeError("this file cannot be imported")
