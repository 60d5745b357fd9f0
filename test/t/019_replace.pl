# Sixteen sessions predict while their model is replaced a hundred times, and
# old versions are dropped: no error, and a statement sees one version for all
# of its rows, the one that its snapshot says.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use WfmlTest;

my $node = start_node('main', "max_connections = 50\nfsync = off");

# Version n answers n, whatever it is asked.
my $train = q{SELECT 'version ' || version FROM wfml.train('m', 'gradient_boosting', 'SELECT x, (SELECT coalesce(max(version), 0) + 1 FROM wfml.versions)::float8 AS y FROM xs', 'y', '{"validation": "none", "rounds": 3}', '{x}', 'regression')};

$node->safe_psql('postgres', q{CREATE TABLE xs AS SELECT i % 20 AS x FROM generate_series(1, 100) i});
$node->safe_psql('postgres', $train);
is($node->safe_psql('postgres', q{SELECT DISTINCT wfml.predict('m', xs) FROM xs}), '1', 'the first version answers 1');

# Each raises division by zero when an answer is not of the version that the
# same statement sees active.
my $active = q{(SELECT version FROM wfml.models WHERE name = 'm')};
my %question = (
	row => qq{SELECT 1 / bool_and(round(wfml.predict('m', xs)) = $active)::int FROM xs;},
	json => qq{SELECT 1 / (round(wfml.predict('m', jsonb_build_object('x', :n::int))) = $active)::int;},
	batch => qq{SELECT 1 / bool_and(round(value) = $active)::int FROM wfml.predict_batch('m', 'xs');},
	detail => qq{SELECT 1 / bool_and(round(d.value) = d.model_version AND d.model_version = $active)::int FROM xs, wfml.predict_detail('m', xs) d;},
	transaction => qq{BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT 1 / (round(wfml.predict('m', jsonb_build_object('x', 1))) = $active)::int AS good, wfml.predict('m', jsonb_build_object('x', 1)) AS first;
\\gset
\\sleep 20 ms
SELECT 1 / bool_and(wfml.predict('m', xs) = :first)::int FROM xs;
COMMIT;});
$question{logged} = qq{SELECT 1 / bool_and(round(d.value) = d.model_version AND d.model_version = $active)::int FROM (SELECT * FROM xs LIMIT 5) xs, LATERAL wfml.log_predict('m', xs) d;}
	if $node->safe_psql('postgres', q{SELECT count(*) > 0 FROM pg_proc WHERE proname = 'log_predict'}) eq 't';
my @scripts;

for my $name (sort keys %question)
{
	my $file = $node->basedir . "/$name.sql";
	my $script = "\\set n random(0, 19)\n$question{$name}\n";

	$script =~ s/;\n\\gset/\n\\gset/;
	append_to_file($file, $script);
	push @scripts, '-f', $file;
}

# Replaced at its own pace; the version before the last three goes.
my $replacements = $node->basedir . '/replace.sql';

append_to_file($replacements, "SET client_min_messages = error;\n" . join('', map {
	my $old = $_ - 2;
	"$train;\n" . ($old >= 1 ? "SELECT wfml.drop_model('m', $old);\n" : '') . "SELECT pg_sleep(0.05);\n" } 1 .. 100));
my ($out, $err) = ('', '');
my $replacer = IPC::Run::start([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-f', $replacements ],
	'<', '/dev/null', '>', \$out, '2>', \$err, IPC::Run::timeout(120));
my $asked = 0;
my $failed = 0;
my $rounds = 0;

for my $mode (qw(prepared extended simple) x 4)
{
	my ($stdout, $stderr);

	IPC::Run::run([ 'pgbench', '-n', '-c', 16, '-j', 2, '-T', 3, '-M', $mode, @scripts, '-h', $node->host, '-p', $node->port, 'postgres' ],
		'<', '/dev/null', '>', \$stdout, '2>', \$stderr) or do { $failed++; diag $stderr };
	$asked += $1 if $stdout =~ /transactions actually processed: (\d+)/;
	$rounds++;
	$replacer->pump_nb;
	last if $out =~ m{version 101
} && $rounds >= 3;
}
$replacer->finish;
is($err, '', 'replacing went through');
is(() = $out =~ /^version \d+$/mg, 100, 'a hundred times');
is($failed, 0, "no error in $asked transactions, $rounds rounds of 16 sessions");
cmp_ok($asked, '>', 1000, 'which were many');
is($node->safe_psql('postgres', q{SELECT DISTINCT wfml.predict('m', xs) FROM xs}), '101', 'the last version is the one that answers');
is($node->safe_psql('postgres', q{SELECT count(*) FROM wfml.versions}), '3', 'of those left');
is(registry_faults($node), '', 'nothing is half there');
is($node->safe_psql('postgres', q{SELECT count(*) FROM wfml.prediction WHERE round(value) <> version}), '0', 'what was logged is of the version that it says');

$node->stop;
done_testing();
