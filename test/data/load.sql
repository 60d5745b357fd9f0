-- Tables of the real data sets, in schema data; see README.md beside this
-- file.  Run by psql in the project's top directory.
CREATE SCHEMA data;

CREATE TABLE data.adult (
    age int, workclass text, fnlwgt int, education text, education_num int, marital_status text, occupation text,
    relationship text, race text, sex text, capital_gain int, capital_loss int, hours_per_week int,
    native_country text, income text, split text);
\copy data.adult FROM PROGRAM 'gzip -dc test/data/adult.csv.gz' WITH (FORMAT csv, HEADER)

CREATE TABLE data.bike_sharing (
    date date, season int, year int, month int, hour int, holiday int, weekday int, workingday int, weather int,
    temp float8, atemp float8, humidity float8, windspeed float8, casual int, registered int, rentals int);
\copy data.bike_sharing FROM PROGRAM 'gzip -dc test/data/bike_sharing_hour.csv.gz' WITH (FORMAT csv, HEADER)

CREATE TABLE data.california_housing (
    longitude float8, latitude float8, housing_median_age int, total_rooms int, total_bedrooms float8,
    population int, households int, median_income float8, median_house_value int, ocean_proximity text);
\copy data.california_housing FROM PROGRAM 'gzip -dc test/data/california_housing.csv.gz' WITH (FORMAT csv, HEADER)

CREATE TABLE data.flights (ts timestamp, origin text, destination text, distance int, delay int, on_time int);
\copy data.flights FROM PROGRAM 'gzip -dc test/data/flights.csv.gz' WITH (FORMAT csv, HEADER)

CREATE TABLE data.flowbench (
    run_id int, task text, job text, is_anomaly int, anomaly_type text, job_type text, is_clustered int,
    ready timestamp, submit timestamp, execute_start timestamp, execute_end timestamp, post_script_end timestamp,
    wms_delay int, queue_delay int, runtime int, post_script_delay int, stage_in_delay int, stage_in_bytes int,
    stage_in_effective_bytes_per_sec float8, stage_out_delay int, stage_out_bytes int,
    stage_out_effective_bytes_per_sec int, cpu_time float8, status int, iowait float8, bytes_read int,
    bytes_written int, read_system_calls int, write_system_calls int, utime float8, stime float8,
    bytes_read_per_second float8, bytes_written_per_second float8);
\copy data.flowbench FROM PROGRAM 'gzip -dc test/data/flowbench_pycbc_inference.csv.gz' WITH (FORMAT csv, HEADER)

CREATE TABLE data.hpc_jobs (
    protocol text, compounds int, input_fields int, iterations int, num_pending int, hour float8, day text, class text);
\copy data.hpc_jobs FROM PROGRAM 'gzip -dc test/data/hpc_jobs.csv.gz' WITH (FORMAT csv, HEADER)

CREATE TABLE data.mammography (f1 float8, f2 float8, f3 float8, f4 float8, f5 float8, f6 float8, is_anomaly int);
\copy data.mammography FROM PROGRAM 'gzip -dc test/data/ad_mammography.csv.gz' WITH (FORMAT csv, HEADER)

CREATE TABLE data.n8n_steps (workflow_id int, step_no int, depth int, role text, node_type text, node_package text);
\copy data.n8n_steps FROM PROGRAM 'gzip -dc test/data/n8n_steps.csv.gz' WITH (FORMAT csv, HEADER)

CREATE TABLE data.n8n_workflows (
    workflow_id int, title text, category text, trigger_type text, n_steps int, n_distinct_types int, uses_ai boolean);
\copy data.n8n_workflows FROM PROGRAM 'gzip -dc test/data/n8n_workflows.csv.gz' WITH (FORMAT csv, HEADER)

CREATE TABLE data.pima (f1 int, f2 int, f3 int, f4 int, f5 int, f6 float8, f7 float8, f8 int, is_anomaly int);
\copy data.pima FROM PROGRAM 'gzip -dc test/data/ad_pima.csv.gz' WITH (FORMAT csv, HEADER)
