# ALTER EXTENSION wfml UPDATE from the first release gives what a fresh install
# gives, object by object; models trained before predict the same, and the new
# library serves a database whose extension is not updated yet.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use WfmlTest;

# Everything that the extension is made of, a line for each property, sorted.
# Numbers of objects are left out, and column order is part of it.
my $catalog = q{
SET search_path = pg_catalog;
WITH member AS (
	SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
	WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'wfml'
), relation AS (
	SELECT c.*, c.oid::regclass::text AS id FROM pg_class c JOIN member m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
), routine AS (
	SELECT p.*, p.oid::regprocedure::text AS id FROM pg_proc p JOIN member m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
), acl (id, acl, kind, owner) AS (
	SELECT 'function ' || id, proacl, 'f'::"char", proowner FROM routine
	UNION ALL SELECT 'relation ' || id, relacl, CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner FROM relation
	UNION ALL SELECT 'schema ' || nspname, nspacl, 'n', nspowner FROM pg_namespace WHERE nspname = 'wfml'
	UNION ALL SELECT 'type ' || t.oid::regtype, typacl, 'T', typowner FROM pg_type t WHERE typnamespace = 'wfml'::regnamespace
), line (line) AS (
	SELECT 'member ' || i.type || ' ' || i.identity FROM member m, pg_identify_object(m.classid, m.objid, 0) i
	UNION ALL SELECT 'extension version ' || extversion || ' schema ' || extnamespace::regnamespace || ' relocatable ' || extrelocatable FROM pg_extension WHERE extname = 'wfml'
	UNION ALL SELECT 'dumped ' || t.oid::regclass || ' where ' || quote_literal(e.extcondition[t.n])
		FROM pg_extension e, unnest(e.extconfig) WITH ORDINALITY t (oid, n) WHERE extname = 'wfml'
	UNION ALL SELECT 'function ' || id || ': ' || pg_get_functiondef(oid) || ' cost ' || procost || ' rows ' || prorows || ' owner ' || proowner::regrole
		FROM routine WHERE prokind <> 'a'
	UNION ALL SELECT 'aggregate ' || id || ': ' || concat_ws(', ', proparallel, provolatile, prorettype::regtype, pg_get_function_arguments(p.oid), a.aggfnoid, a.aggkind, a.aggtransfn, a.aggfinalfn, a.aggcombinefn,
			a.aggserialfn, a.aggdeserialfn, a.aggfinalmodify, a.aggtranstype::regtype, a.agginitval, a.aggfinalextra, a.aggsortop)
		FROM routine p JOIN pg_aggregate a ON a.aggfnoid = p.oid
	UNION ALL SELECT 'relation ' || id || ': ' || concat_ws(', ', relkind, relpersistence, relowner::regrole, array_to_string(reloptions, ' '), relrowsecurity, relforcerowsecurity, relreplident, relhastriggers, relispartition)
		FROM relation
	UNION ALL SELECT 'view ' || id || ': ' || pg_get_viewdef(oid) FROM relation WHERE relkind IN ('v', 'm')
	UNION ALL SELECT 'rule ' || id || ': ' || pg_get_ruledef(r.oid) || r.ev_enabled::text FROM relation c JOIN pg_rewrite r ON r.ev_class = c.oid
	UNION ALL SELECT 'column ' || c.id || ' ' || to_char(row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum), 'FM000') || ' ' || concat_ws(', ', a.attname, format_type(a.atttypid, a.atttypmod),
			CASE WHEN a.attnotnull THEN 'not null' END, pg_get_expr(d.adbin, d.adrelid), 'storage ' || a.attstorage::text, 'compression ' || nullif(a.attcompression::text, ''),
			co.collname, a.attidentity, a.attgenerated, 'acl ' || a.attacl::text, 'statistics ' || nullif(a.attstattarget, -1))
		FROM relation c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum LEFT JOIN pg_collation co ON co.oid = a.attcollation
	UNION ALL SELECT 'constraint ' || conrelid::regclass || ' ' || conname || ': ' || pg_get_constraintdef(n.oid) || ' ' || concat_ws(', ', condeferrable, condeferred, convalidated)
		FROM pg_constraint n JOIN relation c ON c.oid = n.conrelid
	UNION ALL SELECT 'constraint ' || contypid::regtype || ' ' || conname || ': ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE contypid <> 0 AND connamespace = 'wfml'::regnamespace
	UNION ALL SELECT 'index ' || pg_get_indexdef(i.indexrelid) || ' ' || concat_ws(', ', indisvalid, indisclustered, indisreplident) FROM pg_index i JOIN relation c ON c.oid = i.indrelid
	UNION ALL SELECT 'trigger ' || pg_get_triggerdef(t.oid) || ' ' || tgenabled::text FROM pg_trigger t JOIN relation c ON c.oid = t.tgrelid WHERE NOT tgisinternal
	UNION ALL SELECT 'sequence ' || c.id || ': ' || concat_ws(', ', s.seqtypid::regtype, seqstart, seqincrement, seqmax, seqmin, seqcache, seqcycle,
			'owned by ' || (SELECT string_agg(d.refobjid::regclass || '.' || a.attname, ' ') FROM pg_depend d JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
				WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i') AND d.refclassid = 'pg_class'::regclass))
		FROM relation c JOIN pg_sequence s ON s.seqrelid = c.oid
	UNION ALL SELECT 'policy ' || c.id || ': ' || concat_ws(', ', polname, polcmd, polpermissive, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)) FROM relation c JOIN pg_policy p ON p.polrelid = c.oid
	UNION ALL SELECT 'type ' || t.oid::regtype || ': ' || concat_ws(', ', typtype, typcategory, typlen, typinput, typowner::regrole, typnotnull, typdefault, format_type(typbasetype, typtypmod),
			(SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid),
			(SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = t.typrelid AND attnum > 0 AND NOT attisdropped))
		FROM pg_type t WHERE typnamespace = 'wfml'::regnamespace
	UNION ALL SELECT 'cast ' || format('%s as %s %s %s', castsource::regtype, casttarget::regtype, castfunc::regprocedure, castcontext) FROM pg_cast k JOIN member m ON m.classid = 'pg_cast'::regclass AND m.objid = k.oid
	UNION ALL SELECT 'operator ' || o.oid::regoperator || ' ' || oprcode FROM pg_operator o JOIN member m ON m.classid = 'pg_operator'::regclass AND m.objid = o.oid
	UNION ALL SELECT 'event trigger ' || evtname FROM pg_event_trigger v JOIN member m ON m.classid = 'pg_event_trigger'::regclass AND m.objid = v.oid
	UNION ALL SELECT 'right on ' || a.id || ': ' || concat_ws(', ', x.grantor::regrole, CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE x.grantee::regrole::text END, x.privilege_type, x.is_grantable)
		FROM acl a, aclexplode(coalesce(a.acl, acldefault(a.kind, a.owner))) x
	UNION ALL SELECT 'initial right on ' || o.identity || ': ' || concat_ws(', ', CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE x.grantee::regrole::text END, x.privilege_type, x.is_grantable)
		FROM pg_init_privs i JOIN member m ON m.classid = i.classoid AND m.objid = i.objoid, pg_identify_object(i.classoid, i.objoid, i.objsubid) o, aclexplode(i.initprivs) x
	UNION ALL SELECT 'comment on ' || o.type || ' ' || o.identity || ': ' || d.description FROM pg_description d
		JOIN member m ON m.classid = d.classoid AND m.objid = d.objoid, pg_identify_object(d.classoid, d.objoid, d.objsubid) o
	UNION ALL SELECT 'comment on ' || o.type || ' ' || o.identity || ': ' || d.description FROM pg_description d
		JOIN pg_extension e ON d.classoid = 'pg_extension'::regclass AND d.objoid = e.oid AND e.extname = 'wfml', pg_identify_object(d.classoid, d.objoid, d.objsubid) o
)
SELECT replace(line, E'\n', ' ') FROM line ORDER BY line COLLATE "C"};

my $node = PostgreSQL::Test::Cluster->new('main');

$node->init;
$node->start;
$node->safe_psql('postgres', q{CREATE EXTENSION wfml VERSION '0.1.0'});
$node->safe_psql('postgres', 'CREATE ROLE analyst');
my $newest = $node->safe_psql('postgres', q{SELECT default_version FROM pg_available_extensions WHERE name = 'wfml'});

isnt($newest, '0.1.0', 'there is something to update to');
is($node->safe_psql('postgres', 'SELECT wfml.version()'), $newest, 'the library is new, the extension old');

# ---- the new library with the SQL of 0.1.0 ----

load_jobs($node);
$node->safe_psql('postgres', q{
SELECT * FROM wfml.train('forest', 'random_forest', 'jobs', 'class', '{"trees": 10}');
SELECT * FROM wfml.train('boosting', 'gradient_boosting', 'jobs', 'class', '{"rounds": 10}');
SELECT * FROM wfml.train('boosting', 'gradient_boosting', 'jobs', 'class', '{"rounds": 5}');
SELECT * FROM wfml.train('hours', 'linear', 'jobs', 'hour', '{"validation": "none"}', '{compounds,input_fields}');
CREATE TABLE one AS SELECT * FROM jobs ORDER BY jobs::text LIMIT 1;
});
train_other_kinds($node);

# Each works, and gives what is said (as text), or at least something.
my @calls = (
	[ q{SELECT count(*) FROM jobs j WHERE wfml.classify('forest', j) IS NULL}, '0' ],
	[ q{SELECT count(*) FROM jobs j WHERE wfml.classify('boosting', to_jsonb(j)) IS NULL}, '0' ],
	[ q{SELECT wfml.predict('hours', o) BETWEEN -100 AND 100 FROM one o}, 't' ],
	[ q{SELECT wfml.predict_version(wfml.version_id('hours'), o) = wfml.predict('hours', o) FROM one o}, 't' ],
	[ q{SELECT d.label = wfml.classify('forest', o) FROM one o, wfml.predict_detail('forest', o) d}, 't' ],
	[ q{SELECT count(*) FROM wfml.predict_batch('forest', 'jobs')}, '4331' ],
	[ q{SELECT count(*) > 3 FROM one o, wfml.explain('forest', o)}, 't' ],
	[ q{SELECT wfml.explain_text('forest', o) <> '' FROM one o}, 't' ],
	[ q{SELECT count(*) > 3 FROM wfml.feature_importance('forest')}, 't' ],
	[ q{SELECT count(*) > 3 FROM wfml.partial_dependence('hours', 'compounds', 'jobs')}, 't' ],
	[ q{SELECT count(*) > 0 FROM wfml.metrics('forest')}, 't' ],
	[ q{SELECT wfml.model_info('forest') ->> 'algorithm'}, 'random_forest' ],
	[ q{SELECT count(*) > 3 FROM wfml.inspect('jobs', 'class')}, 't' ],
	[ q{SELECT count(*) > 0 FROM wfml.evaluate('boosting', 'jobs')}, 't' ],
	[ q{SELECT count(*) > 0 FROM wfml.evaluations}, 't' ],
	[ q{SELECT count(*) > 3 FROM wfml.confusion_matrix('boosting', 'jobs')}, 't' ],
	[ q{SELECT wfml.accuracy(class, wfml.classify('boosting', j)) > 0.5 FROM jobs j}, 't' ],
	[ q{SELECT wfml.rollback('boosting')}, '1' ],
	[ q{SELECT wfml.activate('boosting', 2)}, '' ],
	[ q{SELECT wfml.retire('boosting', 1)}, '' ],
	[ q{SELECT wfml.drop_model('boosting', 1)}, '' ],
	[ q{SELECT wfml.rename_model('boosting', 'boosted'); SELECT wfml.rename_model('boosted', 'boosting')}, "\n" ],
	[ q{SELECT wfml.set_comment('forest', 'old')}, '' ],
	[ q{SELECT wfml.set_source('hours', 'jobs', 'hour')}, '' ],
	[ q{SELECT wfml.grant_model('forest', 'analyst')}, '' ],
	[ q{SELECT wfml.revoke_model('forest', 'analyst'); SELECT wfml.grant_model('forest', 'analyst')}, "\n" ],
	[ q{SELECT wfml.reassign_models('analyst', 'analyst')}, '0' ],
	[ q{SELECT wfml.import_model('copy', wfml.export_model('forest'))}, 'copy@1' ],
	[ q{SELECT wfml.drop_model('copy')}, '' ],
	[ q{SELECT bool_and(wfml.verify(name)) FROM wfml.models}, 't' ],
	[ q{SELECT wfml.create_function('forest', 'expected', 'jobs')}, undef ],
	[ q{SELECT count(*) FROM jobs j WHERE expected(j) IS NULL}, '0' ],
	[ q{SELECT count(*) FROM wfml.training_progress}, '0' ],
	[ q{SELECT count(*) FROM wfml.models}, '6' ],
	[ q{SELECT count(*) FROM wfml.versions}, '6' ],
	[ q{SELECT count(*) > 0 FROM wfml.cache_stats()}, undef ],
	[ q{SELECT wfml.cache_clear()}, undef ]);

sub calls_work
{
	my ($when) = @_;

	for my $call (@calls)
	{
		my ($query, $expected) = @$call;
		my ($status, $out, $err) = $node->psql('postgres', $query);

		if ($status != 0) { fail("$when: $query"); diag $err }
		elsif (defined $expected) { is($out, $expected, "$when: $query") }
		else { pass("$when: $query") }
	}
}

calls_work('SQL of 0.1.0');

my %before = map { $_ => prediction_digest($node, $_) } qw(forest boosting);
my $others = other_kinds_digest($node, 'postgres');

my $dump = $node->basedir . '/dump';

$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, '-d', $node->connstr('postgres') ], 'dumped by 0.1.0');

# ---- the update ----

my $session = $node->background_psql('postgres');

$session->query_safe(q{SELECT wfml.classify('forest', o) FROM one o});
$node->safe_psql('postgres', 'ALTER EXTENSION wfml UPDATE');
is($node->safe_psql('postgres', q{SELECT extversion FROM pg_extension WHERE extname = 'wfml'}), $newest, 'updated');
is($session->query_safe(q{SELECT wfml.classify('forest', o) IS NOT NULL FROM one o}), 't', 'a session that was there before goes on');
$session->quit;
is(prediction_digest($node, $_), $before{$_}, "$_ predicts as before") for sort keys %before;
is(other_kinds_digest($node, 'postgres'), $others, 'so do models of the other kinds');

# so that what was done before the update does not show in what is compared
$node->safe_psql('postgres', q{DROP FUNCTION expected(jobs)});
$node->safe_psql('postgres', 'CREATE DATABASE fresh');
$node->safe_psql('fresh', 'CREATE EXTENSION wfml');
my %updated = map { $_ => 1 } split /\n/, $node->safe_psql('postgres', $catalog);
my %fresh = map { $_ => 1 } split /\n/, $node->safe_psql('fresh', $catalog);
my @missing = grep { !$updated{$_} } sort keys %fresh;
my @extra = grep { !$fresh{$_} } sort keys %updated;

cmp_ok(scalar(keys %fresh), '>', 700, 'there is much to compare');
is(scalar(@missing), 0, 'an updated database has all that a fresh one has');
diag "only fresh: $_" for @missing;
is(scalar(@extra), 0, 'and nothing else');
diag "only updated: $_" for @extra;

# the other way: a dump of the old one restored where the new one is installed
$node->safe_psql('postgres', 'CREATE DATABASE moved');
$node->command_ok([ 'pg_restore', '-e', '-d', $node->connstr('moved'), $dump ], 'and restored into the new version');
is($node->safe_psql('moved', q{SELECT extversion FROM pg_extension WHERE extname = 'wfml'}), $newest, 'which it is then');
is(other_kinds_digest($node, 'moved'), $others, 'models answer as before');
is($node->safe_psql('moved', q{SELECT md5(string_agg(wfml.predict_proba('forest', j)::text, ' ' ORDER BY j::text)) FROM jobs j}), $before{forest}, 'the forest too');
is(registry_faults($node, 'moved'), '', 'numbers go on');

# a name anew, with two versions, as the calls expect it
$node->safe_psql('postgres', q{
SELECT wfml.drop_model('boosting');
SELECT * FROM wfml.train('boosting', 'gradient_boosting', 'jobs', 'class', '{"rounds": 10}');
SELECT * FROM wfml.train('boosting', 'gradient_boosting', 'jobs', 'class', '{"rounds": 5}')});
calls_work('after the update');

is($node->safe_psql('postgres', 'SELECT count(DISTINCT number) = count(*) AND min(number) >= 1 FROM wfml.registry'), 't', 'every model has its number');

# Indexes of the tables as a reader would use them: nothing invalid is left.
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
	WHERE c.relnamespace = 'wfml'::regnamespace AND NOT i.indisvalid}), '0', 'no index is half made');

$node->stop;
done_testing();
