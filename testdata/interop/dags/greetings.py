"""A Dag that a person starts by hand: two tasks that say hello, one after the other."""

try:
    from airflow.sdk import dag, task
except ImportError:  # Airflow 2
    from airflow.decorators import dag, task


@dag(schedule=None, tags=["jetbridge"])
def greetings():
    @task
    def hello():
        print("hello")
        return "world"

    @task
    def whom(name):
        print(f"hello, {name}")

    whom(hello())


greetings()
