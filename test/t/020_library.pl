# The library's file is replaced under live sessions, as an upgrade of the
# package does: old sessions go on with the old code, new ones use the new,
# and a training whose workers would run other code than its leader works
# alone and says so.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use File::Path qw(make_path);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use WfmlTest;

# ---- an installation of our own, in which a file may be replaced ----

sub pg_config
{
	my ($what) = @_;
	my $path = `pg_config $what`;

	chomp $path;
	return $path;
}

my $top = PostgreSQL::Test::Utils::tempdir . '/installed';
my ($bin, $lib, $share) = map { pg_config($_) } qw(--bindir --pkglibdir --sharedir);

# Programs find the rest relative to themselves, so they must be copies.
for my $dir ($bin, $lib, $share)
{
	make_path("$top$dir");
	my @how = $dir eq $bin ? ('cp', '-L') : ('cp', '-rs');
	system(@how, glob("$dir/*"), "$top$dir/") == 0 or die "could not copy $dir";
}
my $library = "$top$lib/wfml.so";
my $original = slurp_file("$lib/wfml.so");

# Under its name, as package managers do it: a new file, then a rename.
sub install
{
	my ($bytes) = @_;

	open my $file, '>', "$library.new" or die $!;
	binmode $file;
	print $file $bytes;
	close $file or die $!;
	rename "$library.new", $library or die $!;
}

# What another build of the sources would be: stamp and version differ.
sub rebuilt
{
	my ($major) = @_;
	my $bytes = $original;

	die 'no single build stamp' if ($bytes =~ s/\0(\d{5,10}-\d{5,9})\0/"\0" . ($major x length $1) . "\0"/eg) != 1;
	# (the linker lets other strings share the end of this one)
	die 'no single version' if ($bytes =~ s/\0\d(\.\d+\.\d+\0)/\0$major$1/g) != 1;
	return $bytes;
}

install($original);
(my $inst = "$top$bin") =~ s{/[^/]+$}{};
my $node = PostgreSQL::Test::Cluster->new('main', install_path => $inst);

$node->init;
$node->append_conf('postgresql.conf', "max_parallel_maintenance_workers = 2\nmax_worker_processes = 16\nfsync = off");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION wfml');
load_jobs($node);
$node->safe_psql('postgres', q{
CREATE TABLE many AS SELECT j.* FROM jobs j, generate_series(1, 25);
ALTER TABLE many SET (parallel_workers = 2);
ANALYZE many});
my $train = q{SELECT model FROM wfml.train('m', 'gradient_boosting', 'many', 'class', '{"rounds": 40, "validation": "none"}')};

$node->safe_psql('postgres', $train);
my $answers = prediction_digest($node, 'm');
my $version = $node->safe_psql('postgres', 'SELECT wfml.version()');

# ---- sessions from before ----

sub open_session
{
	my $session = $node->background_psql('postgres', on_error_stop => 0);

	$session->set_query_timer_restart();
	$session->query('SET client_min_messages = warning');
	return $session;
}

# What a session says; its warnings and errors are left in $warned.
my $warned = '';

sub ask
{
	my ($session, $query) = @_;

	$session->{stderr} = '';
	my $out = $session->query($query);

	$warned = $session->{stderr};
	return $out;
}

my $digest = q{SELECT md5(string_agg(wfml.predict_proba('m', j)::text, ' ' ORDER BY j::text)) FROM jobs j};

# The answers of parallel workers, which load the newest file.
sub parallel_answers
{
	my ($session) = @_;

	ask($session, 'SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0');
	my $plan = ask($session, q{EXPLAIN (COSTS OFF) SELECT count(*) FROM many j WHERE wfml.classify('m', j) = 'M'});
	my $count = ask($session, q{SELECT count(*) FROM many j WHERE wfml.classify('m', j) = 'M'});

	ask($session, 'RESET ALL; SET client_min_messages = warning');
	return $plan =~ /Gather/ ? "parallel $count" : "not parallel $count";
}

my $old = open_session();
my $idle = open_session();		# has not loaded the library yet

is(ask($old, 'SELECT wfml.version()'), $version, 'an old session has the old library');
is(ask($old, $digest), $answers, 'and predicts');
my $counted = parallel_answers($old);

like($counted, qr/^parallel [1-9]/, 'also in parallel workers');
ask($old, $train);
is($warned, '', 'it trains in parallel');
my $bytes = model_digest($node, 'm');

# ---- the same code in another file ----

install($original);
is(ask($old, $digest), $answers, 'the same library in another file: predictions');
is(parallel_answers($old), $counted, 'in parallel too');
ask($old, $train);
is($warned, '', 'its workers are not refused');
is(model_digest($node, 'm'), $bytes, 'the model is the same');

# ---- other code ----

install(rebuilt('7'));
(my $seventh = $version) =~ s/^\d+/7/;
is(ask($old, 'SELECT wfml.version()'), $version, 'another library: the old session goes on with the old one');
is(ask($idle, 'SELECT wfml.version()'), $seventh, 'one that had not loaded it yet has the new one');
my $new = open_session();

is(ask($new, 'SELECT wfml.version()'), $seventh, 'so has a new session');
is(ask($_->[1], $digest), $answers, "$_->[0] session: predictions") for [ old => $old ], [ new => $new ], [ idle => $idle ];
is(parallel_answers($_->[1]), $counted, "$_->[0] session: in parallel") for [ old => $old ], [ new => $new ];
ask($old, $train);
like($warned, qr/WARNING:  this session uses another build of the wfml library than new sessions do\n.*HINT:  Reconnect/s, 'workers of an old session are refused');
unlike($warned, qr/ERROR/, 'it trains alone');
is(model_digest($node, 'm'), $bytes, 'the same model');
ask($new, $train);
is($warned, '', 'those of a new session are not');
is(model_digest($node, 'm'), $bytes, 'the same model again');
is(ask($old, $digest), $answers, 'which the old session sees');

# ---- what sessions share while their code differs ----

my $big = q{SELECT size > 8 * 1024 * 1024 FROM wfml.versions WHERE name = 'big'};

$node->safe_psql('postgres', q{
SELECT * FROM wfml.train('big', 'random_forest', 'SELECT *, (random() * 3)::int::text AS noise FROM jobs', 'noise', '{"trees": 450, "validation": "none", "seed": 1}')});
is($node->safe_psql('postgres', $big), 't', 'a model that is large enough to be shared');
my $question = q{SELECT md5(string_agg(wfml.predict_proba('big', j)::text, ' ' ORDER BY j::text)) FROM jobs j};
my $big_answers = ask($new, $question);

like($big_answers, qr/^[0-9a-f]{32}$/, 'the new session opens it');
is(ask($old, $question), $big_answers, 'the old one answers the same');
install(rebuilt('8'));
my $newest = open_session();

like(ask($newest, 'SELECT wfml.version()'), qr/^8\./, 'a third library');
is(ask($_->[1], $question), $big_answers, "$_->[0] session: the large model") for [ newest => $newest ], [ new => $new ], [ old => $old ];
if ($node->safe_psql('postgres', q{SELECT count(*) > 0 FROM pg_proc WHERE proname = 'log_predict'}) eq 't')
{
	for my $s ([ newest => $newest ], [ new => $new ], [ old => $old ])
	{
		is(ask($s->[1], q{SELECT count(*) FROM (SELECT * FROM jobs LIMIT 10) j, LATERAL wfml.log_predict('m', j) p}), '10', "$s->[0] session: logs");
	}
	is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT id) FROM wfml.prediction'), '30|30', 'all is logged');
}
$_->quit for $old, $idle, $new, $newest;
is($node->safe_psql('postgres', 'SELECT 1'), '1', 'the server stands');
unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal|TRAP/, 'and nothing crashed meanwhile');
is(registry_faults($node), '', 'nothing is half there');

$node->stop;
done_testing();
