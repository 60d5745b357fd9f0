-- run_retraining() every night, by pg_cron.

-- Functions that belong to the extension pg_cron, which only superusers can
-- make; a schema of the name "cron" anybody may own.
CREATE FUNCTION wfml.cron_function(function name, argument_types text, OUT schema name, OUT usable boolean)
	LANGUAGE SQL STABLE
	BEGIN ATOMIC
		SELECT n.nspname, pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_function_privilege(p.oid, 'EXECUTE')
		FROM pg_catalog.pg_extension e
		JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.refobjid = e.oid
			AND d.classid = 'pg_catalog.pg_proc'::regclass AND d.deptype = 'e'
		JOIN pg_catalog.pg_proc p ON p.oid = d.objid
		JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
		WHERE e.extname = 'pg_cron' AND p.proname = cron_function.function
			AND pg_catalog.oidvectortypes(p.proargtypes) = cron_function.argument_types;
	END;
COMMENT ON FUNCTION wfml.cron_function(name, text) IS
	'schema of a function of the extension pg_cron, and whether you may call it; NULL without pg_cron in this database';

-- The error for a database without pg_cron, with the line to run instead.
CREATE FUNCTION wfml.no_cron(schedule text) RETURNS void
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	elsewhere text;
	known boolean := true;
BEGIN
	BEGIN
		elsewhere := current_setting('cron.database_name', true);
	EXCEPTION WHEN insufficient_privilege THEN
		-- There is such a setting, so the library is loaded.
		known := false;
	END;
	IF elsewhere = current_database() THEN
		RAISE EXCEPTION 'the extension pg_cron is not created in this database' USING ERRCODE = '55000',
			HINT = 'A superuser runs: CREATE EXTENSION pg_cron;';
	ELSIF elsewhere IS NOT NULL OR NOT known THEN
		RAISE EXCEPTION '%', CASE WHEN known THEN format('pg_cron schedules from database "%s", not from this one', elsewhere)
				ELSE 'pg_cron schedules from another database' END
			USING ERRCODE = '55000',
			HINT = format('In %s a superuser runs: SELECT cron.schedule_in_database(%L, %L, %L, %L, %L);',
				CASE WHEN known THEN format('database "%s"', elsewhere) ELSE 'the database that cron.database_name names' END,
				'wfml retraining ' || current_database(), schedule, 'CALL wfml.run_retraining()', current_database(), current_user);
	END IF;
	RAISE EXCEPTION 'pg_cron is not installed in this server' USING ERRCODE = '0A000',
		HINT = format('Let any other scheduler run it, for example by this line of a crontab: %s psql -X -d %s -c "CALL wfml.run_retraining()"',
			schedule, current_database());
END $$;
COMMENT ON FUNCTION wfml.no_cron(text) IS 'error for a database without pg_cron, whose hint is the line to run instead';

CREATE FUNCTION wfml.schedule_retraining(schedule text DEFAULT '0 3 * * *') RETURNS bigint
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	cron record;
	job bigint;
BEGIN
	IF schedule IS NULL THEN
		RAISE EXCEPTION 'argument "schedule" must not be null' USING ERRCODE = '22004',
			HINT = 'wfml.unschedule_retraining() ends a schedule.';
	END IF;
	SELECT * INTO cron FROM wfml.cron_function('schedule', 'text, text, text');
	IF cron.schema IS NULL THEN
		PERFORM wfml.no_cron(schedule);
	ELSIF NOT cron.usable THEN
		RAISE EXCEPTION 'permission denied for pg_cron' USING ERRCODE = '42501',
			HINT = format('A superuser runs: GRANT USAGE ON SCHEMA %I TO %I;', cron.schema, current_user);
	END IF;
	EXECUTE format('SELECT %I.schedule($1, $2, $3)', cron.schema) INTO job
		USING 'wfml retraining ' || current_database(), schedule, 'CALL wfml.run_retraining()'::text;
	RETURN job;
END $$;
COMMENT ON FUNCTION wfml.schedule_retraining(text) IS
	'let pg_cron CALL wfml.run_retraining() as you, by default at 3 at night (in cron''s zone, usually GMT); replaces your schedule before. Returns pg_cron''s job id. Where pg_cron is not in this database the error''s hint is the line to run instead';

CREATE FUNCTION wfml.unschedule_retraining() RETURNS boolean
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	cron record;
	job bigint;
	done boolean := false;
BEGIN
	SELECT * INTO cron FROM wfml.cron_function('unschedule', 'bigint');
	IF cron.schema IS NULL THEN
		RETURN false;
	ELSIF NOT cron.usable THEN
		RAISE EXCEPTION 'permission denied for pg_cron' USING ERRCODE = '42501',
			HINT = format('A superuser runs: GRANT USAGE ON SCHEMA %I TO %I;', cron.schema, current_user);
	END IF;
	FOR job IN EXECUTE format('SELECT jobid FROM %I.job WHERE jobname = $1 AND username = current_user', cron.schema)
		USING 'wfml retraining ' || current_database()
	LOOP
		EXECUTE format('SELECT %I.unschedule($1)', cron.schema) USING job;
		done := true;
	END LOOP;
	RETURN done;
END $$;
COMMENT ON FUNCTION wfml.unschedule_retraining() IS 'undo wfml.schedule_retraining(); false when you had no schedule in this database';
