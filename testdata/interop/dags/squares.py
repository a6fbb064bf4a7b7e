"""A Dag with a task for each number of its run's configuration."""

try:
    from airflow.sdk import dag, task
except ImportError:  # Airflow 2
    from airflow.decorators import dag, task


@dag(schedule=None, params={"upto": 3}, tags=["jetbridge", "numbers"])
def squares():
    @task
    def numbers(params=None):
        return list(range(1, params["upto"] + 1))

    @task
    def square(n):
        return n * n

    square.expand(n=numbers())


squares()
