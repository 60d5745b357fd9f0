-- Metrics as aggregates: how good predictions are, over any rows and groups.
--
-- Rows in which an argument is NULL are left out; without any row the result
-- is NULL.  "any" is a label of any type: labels are compared by their text,
-- so a boolean column matches what classify() returns.  Where a positive class
-- is needed, it is true, 1, or text that reads as true; other labels are
-- compared first, as in auc(churned = 'yes', score).

-- Shares and means

CREATE FUNCTION wfml.accuracy_accum(bytea, "any", "any") RETURNS bytea
	LANGUAGE C STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_accuracy_accum';
COMMENT ON FUNCTION wfml.accuracy_accum(bytea, "any", "any") IS
	'transition of accuracy()';

CREATE FUNCTION wfml.log_loss_accum(bytea, "any", double precision) RETURNS bytea
	LANGUAGE C STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_log_loss_accum';
COMMENT ON FUNCTION wfml.log_loss_accum(bytea, "any", double precision) IS
	'transition of log_loss()';

CREATE FUNCTION wfml.brier_accum(bytea, "any", double precision) RETURNS bytea
	LANGUAGE C STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_brier_accum';
COMMENT ON FUNCTION wfml.brier_accum(bytea, "any", double precision) IS
	'transition of brier()';

CREATE FUNCTION wfml.mae_accum(bytea, double precision, double precision) RETURNS bytea
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_mae_accum';
COMMENT ON FUNCTION wfml.mae_accum(bytea, double precision, double precision) IS
	'transition of mae()';

CREATE FUNCTION wfml.rmse_accum(bytea, double precision, double precision) RETURNS bytea
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_rmse_accum';
COMMENT ON FUNCTION wfml.rmse_accum(bytea, double precision, double precision) IS
	'transition of rmse()';

CREATE FUNCTION wfml.mean_combine(bytea, bytea) RETURNS bytea
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_mean_combine';
COMMENT ON FUNCTION wfml.mean_combine(bytea, bytea) IS
	'combines states of accuracy(), log_loss(), brier(), mae() and rmse()';

CREATE FUNCTION wfml.mean_final(bytea) RETURNS double precision
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_mean_final';
COMMENT ON FUNCTION wfml.mean_final(bytea) IS
	'result of accuracy(), log_loss(), brier() and mae()';

CREATE FUNCTION wfml.rmse_final(bytea) RETURNS double precision
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_rmse_final';
COMMENT ON FUNCTION wfml.rmse_final(bytea) IS
	'result of rmse()';

CREATE AGGREGATE wfml.accuracy(actual "any", predicted "any") (
	sfunc = wfml.accuracy_accum, stype = bytea,
	combinefunc = wfml.mean_combine, finalfunc = wfml.mean_final, parallel = safe
);
COMMENT ON AGGREGATE wfml.accuracy("any", "any") IS
	'share of rows whose labels are equal';

CREATE AGGREGATE wfml.log_loss(actual "any", p double precision) (
	sfunc = wfml.log_loss_accum, stype = bytea,
	combinefunc = wfml.mean_combine, finalfunc = wfml.mean_final, parallel = safe
);
COMMENT ON AGGREGATE wfml.log_loss("any", double precision) IS
	'mean of -ln of the probability given to what happened; p is the probability of the positive class, clipped to 1e-15';

CREATE AGGREGATE wfml.brier(actual "any", p double precision) (
	sfunc = wfml.brier_accum, stype = bytea,
	combinefunc = wfml.mean_combine, finalfunc = wfml.mean_final, parallel = safe
);
COMMENT ON AGGREGATE wfml.brier("any", double precision) IS
	'mean of (p - happened) squared; p is the probability of the positive class';

CREATE AGGREGATE wfml.mae(actual double precision, predicted double precision) (
	sfunc = wfml.mae_accum, stype = bytea,
	combinefunc = wfml.mean_combine, finalfunc = wfml.mean_final, parallel = safe
);
COMMENT ON AGGREGATE wfml.mae(double precision, double precision) IS
	'mean absolute error';

CREATE AGGREGATE wfml.rmse(actual double precision, predicted double precision) (
	sfunc = wfml.rmse_accum, stype = bytea,
	combinefunc = wfml.mean_combine, finalfunc = wfml.rmse_final, parallel = safe
);
COMMENT ON AGGREGATE wfml.rmse(double precision, double precision) IS
	'root of the mean squared error';

-- Explained variance

CREATE FUNCTION wfml.r2_accum(bytea, double precision, double precision) RETURNS bytea
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_r2_accum';
COMMENT ON FUNCTION wfml.r2_accum(bytea, double precision, double precision) IS
	'transition of r2()';

CREATE FUNCTION wfml.r2_combine(bytea, bytea) RETURNS bytea
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_r2_combine';
COMMENT ON FUNCTION wfml.r2_combine(bytea, bytea) IS
	'combines states of r2()';

CREATE FUNCTION wfml.r2_final(bytea) RETURNS double precision
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_r2_final';
COMMENT ON FUNCTION wfml.r2_final(bytea) IS
	'result of r2()';

CREATE AGGREGATE wfml.r2(actual double precision, predicted double precision) (
	sfunc = wfml.r2_accum, stype = bytea,
	combinefunc = wfml.r2_combine, finalfunc = wfml.r2_final, parallel = safe
);
COMMENT ON AGGREGATE wfml.r2(double precision, double precision) IS
	'coefficient of determination: 1 is perfect, 0 as good as the mean, below 0 worse';

-- Calibration

CREATE FUNCTION wfml.ece_accum(bytea, "any", double precision) RETURNS bytea
	LANGUAGE C STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_ece_accum';
COMMENT ON FUNCTION wfml.ece_accum(bytea, "any", double precision) IS
	'transition of ece() with 10 bins';

CREATE FUNCTION wfml.ece_accum(bytea, "any", double precision, integer) RETURNS bytea
	LANGUAGE C STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_ece_accum';
COMMENT ON FUNCTION wfml.ece_accum(bytea, "any", double precision, integer) IS
	'transition of ece()';

CREATE FUNCTION wfml.ece_combine(bytea, bytea) RETURNS bytea
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_ece_combine';
COMMENT ON FUNCTION wfml.ece_combine(bytea, bytea) IS
	'combines states of ece()';

CREATE FUNCTION wfml.ece_final(bytea) RETURNS double precision
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_ece_final';
COMMENT ON FUNCTION wfml.ece_final(bytea) IS
	'result of ece()';

CREATE AGGREGATE wfml.ece(actual "any", p double precision) (
	sfunc = wfml.ece_accum, stype = bytea,
	combinefunc = wfml.ece_combine, finalfunc = wfml.ece_final, parallel = safe
);
COMMENT ON AGGREGATE wfml.ece("any", double precision) IS
	'expected calibration error over 10 bins of equal width of p, the probability of the positive class';

CREATE AGGREGATE wfml.ece(actual "any", p double precision, bins integer) (
	sfunc = wfml.ece_accum, stype = bytea,
	combinefunc = wfml.ece_combine, finalfunc = wfml.ece_final, parallel = safe
);
COMMENT ON AGGREGATE wfml.ece("any", double precision, integer) IS
	'expected calibration error over bins of equal width of p, the probability of the positive class';

-- Scores of labels

CREATE FUNCTION wfml.labels_accum(bytea, "any", "any") RETURNS bytea
	LANGUAGE C STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_labels_accum';
COMMENT ON FUNCTION wfml.labels_accum(bytea, "any", "any") IS
	'transition of precision_score(), recall_score() and f1_score(), average macro';

CREATE FUNCTION wfml.labels_accum(bytea, "any", "any", text) RETURNS bytea
	LANGUAGE C STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_labels_accum';
COMMENT ON FUNCTION wfml.labels_accum(bytea, "any", "any", text) IS
	'transition of precision_score(), recall_score() and f1_score()';

CREATE FUNCTION wfml.labels_combine(bytea, bytea) RETURNS bytea
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_labels_combine';
COMMENT ON FUNCTION wfml.labels_combine(bytea, bytea) IS
	'combines states of precision_score(), recall_score() and f1_score()';

CREATE FUNCTION wfml.precision_final(bytea) RETURNS double precision
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_precision_final';
COMMENT ON FUNCTION wfml.precision_final(bytea) IS
	'result of precision_score()';

CREATE AGGREGATE wfml.precision_score(actual "any", predicted "any") (
	sfunc = wfml.labels_accum, stype = bytea,
	combinefunc = wfml.labels_combine, finalfunc = wfml.precision_final, parallel = safe
);
COMMENT ON AGGREGATE wfml.precision_score("any", "any") IS
	'share of right ones among the rows predicted as a class, averaged over the classes (macro)';

CREATE AGGREGATE wfml.precision_score(actual "any", predicted "any", average text) (
	sfunc = wfml.labels_accum, stype = bytea,
	combinefunc = wfml.labels_combine, finalfunc = wfml.precision_final, parallel = safe
);
COMMENT ON AGGREGATE wfml.precision_score("any", "any", text) IS
	'share of right ones among the rows predicted as a class; average: macro, micro, weighted, or binary (of the label true, else 1, else the greater of the two)';

CREATE FUNCTION wfml.recall_final(bytea) RETURNS double precision
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_recall_final';
COMMENT ON FUNCTION wfml.recall_final(bytea) IS
	'result of recall_score()';

CREATE AGGREGATE wfml.recall_score(actual "any", predicted "any") (
	sfunc = wfml.labels_accum, stype = bytea,
	combinefunc = wfml.labels_combine, finalfunc = wfml.recall_final, parallel = safe
);
COMMENT ON AGGREGATE wfml.recall_score("any", "any") IS
	'share of a class that was found, averaged over the classes (macro)';

CREATE AGGREGATE wfml.recall_score(actual "any", predicted "any", average text) (
	sfunc = wfml.labels_accum, stype = bytea,
	combinefunc = wfml.labels_combine, finalfunc = wfml.recall_final, parallel = safe
);
COMMENT ON AGGREGATE wfml.recall_score("any", "any", text) IS
	'share of a class that was found; average: macro, micro, weighted, or binary (of the label true, else 1, else the greater of the two)';

CREATE FUNCTION wfml.f1_final(bytea) RETURNS double precision
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_f1_final';
COMMENT ON FUNCTION wfml.f1_final(bytea) IS
	'result of f1_score()';

CREATE AGGREGATE wfml.f1_score(actual "any", predicted "any") (
	sfunc = wfml.labels_accum, stype = bytea,
	combinefunc = wfml.labels_combine, finalfunc = wfml.f1_final, parallel = safe
);
COMMENT ON AGGREGATE wfml.f1_score("any", "any") IS
	'harmonic mean of precision and recall, averaged over the classes (macro)';

CREATE AGGREGATE wfml.f1_score(actual "any", predicted "any", average text) (
	sfunc = wfml.labels_accum, stype = bytea,
	combinefunc = wfml.labels_combine, finalfunc = wfml.f1_final, parallel = safe
);
COMMENT ON AGGREGATE wfml.f1_score("any", "any", text) IS
	'harmonic mean of precision and recall; average: macro, micro, weighted, or binary (of the label true, else 1, else the greater of the two)';

-- Rankings

CREATE FUNCTION wfml.scores_accum(bytea, "any", double precision) RETURNS bytea
	LANGUAGE C STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_scores_accum';
COMMENT ON FUNCTION wfml.scores_accum(bytea, "any", double precision) IS
	'transition of auc() and average_precision()';

CREATE FUNCTION wfml.scores_combine(bytea, bytea) RETURNS bytea
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_scores_combine';
COMMENT ON FUNCTION wfml.scores_combine(bytea, bytea) IS
	'combines states of auc() and average_precision()';

CREATE FUNCTION wfml.auc_final(bytea) RETURNS double precision
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_auc_final';
COMMENT ON FUNCTION wfml.auc_final(bytea) IS
	'result of auc()';

CREATE FUNCTION wfml.average_precision_final(bytea) RETURNS double precision
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_average_precision_final';
COMMENT ON FUNCTION wfml.average_precision_final(bytea) IS
	'result of average_precision()';

CREATE AGGREGATE wfml.auc(actual "any", score double precision) (
	sfunc = wfml.scores_accum, stype = bytea,
	sspace = 65536,
	combinefunc = wfml.scores_combine, finalfunc = wfml.auc_final, parallel = safe
);
COMMENT ON AGGREGATE wfml.auc("any", double precision) IS
	'area under the ROC curve: the share of pairs of a positive and a negative that score ranks rightly, ties half; NULL with one class only';

CREATE AGGREGATE wfml.average_precision(actual "any", score double precision) (
	sfunc = wfml.scores_accum, stype = bytea,
	sspace = 65536,
	combinefunc = wfml.scores_combine, finalfunc = wfml.average_precision_final, parallel = safe
);
COMMENT ON AGGREGATE wfml.average_precision("any", double precision) IS
	'mean precision over the positives by falling score, equal scores together; NULL without positives';

CREATE FUNCTION wfml.ndcg_accum(bytea, double precision, bigint) RETURNS bytea
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_ndcg_accum';
COMMENT ON FUNCTION wfml.ndcg_accum(bytea, double precision, bigint) IS
	'transition of ndcg() over all places';

CREATE FUNCTION wfml.ndcg_accum(bytea, double precision, bigint, integer) RETURNS bytea
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_ndcg_accum';
COMMENT ON FUNCTION wfml.ndcg_accum(bytea, double precision, bigint, integer) IS
	'transition of ndcg()';

CREATE FUNCTION wfml.ndcg_combine(bytea, bytea) RETURNS bytea
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_ndcg_combine';
COMMENT ON FUNCTION wfml.ndcg_combine(bytea, bytea) IS
	'combines states of ndcg()';

CREATE FUNCTION wfml.ndcg_final(bytea) RETURNS double precision
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_ndcg_final';
COMMENT ON FUNCTION wfml.ndcg_final(bytea) IS
	'result of ndcg()';

CREATE AGGREGATE wfml.ndcg(relevance double precision, rank bigint) (
	sfunc = wfml.ndcg_accum, stype = bytea,
	sspace = 1024,
	combinefunc = wfml.ndcg_combine, finalfunc = wfml.ndcg_final, parallel = safe
);
COMMENT ON AGGREGATE wfml.ndcg(double precision, bigint) IS
	'normalised discounted cumulative gain of one ranking (group by user for many); rank 1 is the first place; NULL when nothing is relevant';

CREATE AGGREGATE wfml.ndcg(relevance double precision, rank bigint, k integer) (
	sfunc = wfml.ndcg_accum, stype = bytea,
	sspace = 1024,
	combinefunc = wfml.ndcg_combine, finalfunc = wfml.ndcg_final, parallel = safe
);
COMMENT ON AGGREGATE wfml.ndcg(double precision, bigint, integer) IS
	'normalised discounted cumulative gain of the first k places of one ranking; NULL when nothing is relevant';
