# pg_cron retrains a model: a job really fires.  Without pg_cron, in another
# database, and for a role without rights the errors say what to run.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);
use WfmlTest;

my $share = `pg_config --sharedir`;
chomp $share;
plan skip_all => 'pg_cron is not installed (package postgresql-NN-cron)' unless -f "$share/extension/pg_cron.control";

my $node = start_node('main', q{
shared_preload_libraries = 'pg_cron'
cron.database_name = 'postgres'
cron.use_background_workers = on
max_worker_processes = 16
});

sub sql { return $node->safe_psql('postgres', $_[0]) }

sub refusal
{
	my ($database, $query) = @_;
	my ($ret, $out, $err) = $node->psql($database, $query);

	return $err;
}

sql(q{
CREATE ROLE worker LOGIN;
CREATE ROLE stranger LOGIN;
CREATE DATABASE other;
});
$node->safe_psql('other', 'CREATE EXTENSION wfml');

# ---- before the extension, and elsewhere ----

like(refusal('postgres', 'SELECT wfml.schedule_retraining()'), qr/the extension pg_cron is not created in this database.*CREATE EXTENSION pg_cron;/s, 'the library alone is not enough');
sql('CREATE EXTENSION pg_cron');
my $error = refusal('other', q{SELECT wfml.schedule_retraining('5 4 * * *')});
like($error, qr/pg_cron schedules from database "postgres", not from this one/, 'another database says so');
my ($line) = $error =~ /In database "postgres" a superuser runs: (.*);/;
like(sql($line), qr/^\d+$/, 'the line in the hint runs');
is(sql(q{SELECT concat_ws('|', jobname, schedule, command, database, username) FROM cron.job}),
	'wfml retraining other|5 4 * * *|CALL wfml.run_retraining()|other|postgres', 'and schedules it');
sql('SELECT cron.unschedule(jobid) FROM cron.job');
like(refusal('other', q{SET SESSION AUTHORIZATION stranger; SELECT wfml.schedule_retraining()}),
	qr/pg_cron schedules from another database.*In the database that cron.database_name names a superuser runs: SELECT cron.schedule_in_database\('wfml retraining other', '0 3 \* \* \*', 'CALL wfml.run_retraining\(\)', 'other', 'stranger'\);/s,
	'also to who may not see the setting');
like(refusal('postgres', 'SET SESSION AUTHORIZATION stranger; SELECT wfml.schedule_retraining()'), qr/permission denied for pg_cron.*GRANT USAGE ON SCHEMA cron TO stranger;/s, 'rights are needed');
like(refusal('postgres', q{SELECT wfml.schedule_retraining('whenever')}), qr/invalid schedule/, 'pg_cron checks the schedule');

# ---- a model that is due, and a job every minute ----

sql(q{
GRANT USAGE ON SCHEMA cron TO worker;
CREATE TABLE points AS SELECT i, sin(i) AS a, (i % 20 >= 10) <> (i % 7 = 0) AS y, i % 20 AS x FROM generate_series(1, 2000) i;
ALTER TABLE points OWNER TO worker;
SET SESSION AUTHORIZATION worker;
SELECT version FROM wfml.train('m', 'linear', 'points', 'y');
SELECT wfml.set_retrain_policy('m', '1 hour');
RESET SESSION AUTHORIZATION;
UPDATE wfml.ml_model SET created_at = created_at - interval '2 hours';
SET SESSION AUTHORIZATION worker;
INSERT INTO points SELECT i, sin(i), i % 20 < 10, i % 20 FROM generate_series(2001, 3000) i;
});
my $id = sql(q{SET SESSION AUTHORIZATION worker; SELECT wfml.schedule_retraining('* * * * *')});
is(sql(q{SET SESSION AUTHORIZATION worker; SELECT wfml.schedule_retraining('* * * * *')}), $id, 'scheduling again keeps the one job');
is(sql(q{SELECT concat_ws('|', jobname, schedule, command, database, username) FROM cron.job}),
	'wfml retraining postgres|* * * * *|CALL wfml.run_retraining()|postgres|worker', 'which runs as who scheduled it');
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM wfml.jobs WHERE model = 'm' AND status IN ('done', 'kept', 'failed')}), 'the job fires');
is(sql(q{SELECT concat_ws('|', role, status, version, result ->> 'fresh_rows' >= '200') FROM wfml.jobs WHERE model = 'm'}), 'worker|done|2|t', 'it retrained the model');
is(sql(q{SELECT version || ' ' || rows FROM wfml.models WHERE name = 'm'}), '2 3000', 'whose new version is in use');
ok($node->poll_query_until('postgres', q{SELECT bool_and(status = 'succeeded') FROM cron.job_run_details}), 'and pg_cron is content');

is(sql(q{SELECT wfml.unschedule_retraining()}), 'f', 'others have no schedule to undo');
is(sql(q{SET SESSION AUTHORIZATION worker; SELECT wfml.unschedule_retraining()}), 't', 'its owner has');
is(sql(q{SET SESSION AUTHORIZATION worker; SELECT wfml.unschedule_retraining()}), 'f', 'once');
is(sql(q{SELECT count(*) FROM cron.job}), '0', 'and it is gone');

$node->stop;
done_testing();
