-- Installing: not into a schema that somebody else can add traps to.

\set QUIET 1
SET client_min_messages = error;
BEGIN;
SELECT plan(3);

DROP EXTENSION wfml;
CREATE ROLE wfml_stranger;
CREATE SCHEMA IF NOT EXISTS wfml;
ALTER SCHEMA wfml OWNER TO wfml_stranger;
SELECT throws_ok('CREATE EXTENSION wfml', '42501', 'schema "wfml" belongs to role "wfml_stranger"', 'a stranger''s schema');
ALTER SCHEMA wfml OWNER TO CURRENT_USER;
SELECT lives_ok('CREATE EXTENSION wfml', 'a schema of one''s own');
DROP EXTENSION wfml;
DROP SCHEMA wfml;
SELECT lives_ok('CREATE EXTENSION wfml', 'no schema yet');

SELECT * FROM finish();
ROLLBACK;
