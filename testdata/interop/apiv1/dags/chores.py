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
    def add(params=None):
        assert (params["region"], params["limit"]) == ("us", 2), params

    add()


@dag(schedule=None, start_date=START, catchup=False, is_paused_upon_creation=False)
def trips():
    @task
    def stumble():
        print("mind the step")
        raise RuntimeError("it stumbled")

    stumble()


settle()
trips()
