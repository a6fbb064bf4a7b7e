"""The Dags of the scripts."""

import datetime

try:
    from airflow.sdk import dag, task
except ImportError:  # Airflow 2
    from airflow.decorators import dag, task

START = datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)


@dag(schedule=None, start_date=START, catchup=False, params={"region": "eu", "limit": 1}, is_paused_upon_creation=False)
def settle():
    @task
    def add(params=None, ds=None, logical_date=None, data_interval_start=None):
        assert (params["region"], params["limit"]) == ("us", 2), params
        # What a run that is triggered without a date must have, or templates fail.
        assert ds and logical_date and data_interval_start, (ds, logical_date, data_interval_start)

    add()


@dag(schedule=None, start_date=START, catchup=False, is_paused_upon_creation=False)
def trips():
    @task
    def stumble():
        print("mind the step")
        raise RuntimeError("it stumbled")

    stumble()


@dag(schedule=None, start_date=START, catchup=False)
def sizes():
    """Stays paused: its mapped instances are there as soon as a run is."""

    @task
    def measure(n):
        return n

    measure.expand(n=[1, 2, 3])


settle()
trips()
sizes()
