"""Two DAGs whose daily runs since a few days are due at once: empty tasks, which the scheduler itself ends."""
from datetime import datetime, timedelta, timezone

try:  # Airflow 3
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.sdk import DAG
except ImportError:
    from airflow import DAG
    from airflow.operators.empty import EmptyOperator

today = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)

with DAG("etl_sales", schedule="@daily", start_date=today - timedelta(days=6), catchup=True, max_active_runs=16, tags=["sales", "daily"]):
    extract = EmptyOperator(task_id="zz_extract")
    load = EmptyOperator(task_id="a_load")
    extract >> [EmptyOperator(task_id="clean"), EmptyOperator(task_id="aggregate")] >> load

with DAG("paused", schedule="@daily", start_date=today - timedelta(days=6), catchup=True):
    EmptyOperator(task_id="only")
