-- Triggers that score rows as they arrive; wfml.attach() makes them.

CREATE FUNCTION wfml.predict_trigger() RETURNS trigger
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_predict_trigger';
COMMENT ON FUNCTION wfml.predict_trigger() IS
	'trigger BEFORE INSERT or UPDATE, FOR EACH ROW, predict_trigger(''model'', ''output column'' [, ''confidence column'' [, ''key column'']]): fill in the prediction. Triggers that change features must have names before its own, as they fire in that order';

CREATE FUNCTION wfml.log_trigger() RETURNS trigger
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_log_trigger';
COMMENT ON FUNCTION wfml.log_trigger() IS
	'trigger AFTER INSERT or UPDATE, FOR EACH ROW, log_trigger(''model'', ''key column''): log the prediction for the row in wfml.predictions; the key becomes its entity, as text (dates in ISO form, times with a zone in UTC)';

CREATE FUNCTION wfml.outcome_trigger() RETURNS trigger
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_outcome_trigger';
COMMENT ON FUNCTION wfml.outcome_trigger() IS
	'trigger AFTER INSERT or UPDATE, FOR EACH ROW, outcome_trigger(''model'', ''key column'', ''outcome column''): when the outcome becomes known or changes, write it to the latest logged prediction of each version for that key, as far as it was made with the right of the table''s owner; if he owns the model, to anybody''s. Its name must come before log_trigger()''s';
