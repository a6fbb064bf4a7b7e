"""The Dags that both Airflows run: what the operations of the Airflow 2 API have to show is in them once."""

import datetime

try:
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
    from airflow.sdk import Asset as Dataset
    from airflow.sdk import Param, dag, task
except ImportError:  # Airflow 2
    from airflow.datasets import Dataset
    from airflow.decorators import dag, task
    from airflow.models.param import Param
    from airflow.operators.bash import BashOperator
    from airflow.operators.empty import EmptyOperator
    from airflow.operators.trigger_dagrun import TriggerDagRunOperator

START = datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)
ORDERS = Dataset("s3://bucket/orders", extra={"team": "sales"})
RETURNS = Dataset("s3://bucket/returns")


@dag(
    schedule=None,
    start_date=START,
    catchup=False,
    description="Takes orders in",
    tags=["sales", "interop"],
    params={"limit": 3, "region": Param("eu", type="string", description="Where it was sold")},
    default_args={"owner": "sales"},
    dagrun_timeout=datetime.timedelta(hours=1),
    max_active_runs=3,
    doc_md="# Orders",
)
def orders():
    @task
    def extract(params=None):
        print("extracting", params["limit"])
        return {"rows": params["limit"], "big": 12345678901234567890, "text": 'Zoë "quoted" <b>&</b>', "none": None}

    @task
    def square(n):
        print("square of", n)
        return n * n

    announce = BashOperator(
        task_id="announce", bash_command="echo {{ ds }} {{ params.region }}", execution_timeout=datetime.timedelta(minutes=5)
    )
    load = EmptyOperator(task_id="load")
    # The only one: of two events in a row an Airflow makes one run or two.
    publish = BashOperator(task_id="publish", bash_command="echo published", outlets=[ORDERS])
    hand_over = TriggerDagRunOperator(task_id="hand_over", trigger_dag_id="followup", trigger_run_id="from-orders", reset_dag_run=True)
    extract() >> square.expand(n=[2, 3]) >> announce >> [load, publish] >> hand_over


@dag(schedule=None, start_date=START, catchup=False, tags=["sales"])
def followup():
    EmptyOperator(task_id="done")


@dag(schedule=None, start_date=START, catchup=False, tags=["broken"])
def flaky():
    @task(retries=1, retry_delay=datetime.timedelta(seconds=0))
    def fails():
        raise RuntimeError("this one never works")

    fails() >> EmptyOperator(task_id="after")


@dag(schedule=[ORDERS], start_date=START, catchup=False, tags=["sales"])
def report():
    EmptyOperator(task_id="count")


@dag(schedule=[ORDERS, RETURNS], start_date=START, catchup=False, tags=["sales"])
def balance():
    EmptyOperator(task_id="subtract")


@dag(schedule="0 4 * * *", start_date=START, catchup=False)
def nightly():
    EmptyOperator(task_id="sweep", pool="absent")


@dag(schedule=datetime.timedelta(hours=6), start_date=START, catchup=False)
def rounds():
    EmptyOperator(task_id="walk")


@dag(schedule=None, start_date=START)
def many():
    """Its runs are counted by the thousand and never begin: it stays paused."""
    EmptyOperator(task_id="nothing")


orders()
followup()
flaky()
report()
balance()
nightly()
rounds()
many()
