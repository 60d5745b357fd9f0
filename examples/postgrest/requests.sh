#!/bin/sh
# Every endpoint, once: a token for each role, and the answers.
#     API=http://localhost:3000 PGRST_JWT_SECRET=… sh requests.sh
set -eu
: "${API:=http://localhost:3000}" "${PGRST_JWT_SECRET:?the secret that PostgREST was started with}"

base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }

# token ROLE SUBJECT: signed with HS256, good for an hour.
token()
{
	head=$(printf '{"alg":"HS256","typ":"JWT"}' | base64url)
	body=$(printf '{"role":"%s","sub":"%s","exp":%d}' "$1" "$2" $(($(date +%s) + 3600)) | base64url)
	printf '%s.%s.%s\n' "$head" "$body" "$(printf '%s.%s' "$head" "$body" | openssl dgst -sha256 -hmac "$PGRST_JWT_SECRET" -binary | base64url)"
}

# get NAME [QUERY], post NAME JSON
get() { echo "# GET /rpc/$1${2:+?$2}"; curl -sS -H "Authorization: Bearer $TOKEN" "$API/rpc/$1${2:+?$2}"; echo; }
post() { echo "# POST /rpc/$1 $2"; curl -sS -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d "$2" "$API/rpc/$1"; echo; }

TOKEN=$(token web_trainer operator)
post train '{"type": "suggestion_scorer"}'
post train_all '{}'
get jobs 'n=10'
post retrain '{"type": "suggestion_scorer"}'
post evaluate '{"type": "success", "source": "SELECT * FROM wfml.bound_rows('\''runs'\'') AS r (workflow_id text, started_at timestamptz, items int, succeeded boolean)"}'

TOKEN=$(token web_reader u17)
get models
get model 'type=success'
post predict '{"type": "success", "input": {"workflow_id": "w003", "started_at": "2026-01-27T03:00:00Z", "items": 40}, "entity": "run 4711"}'
post predict_cached '{"type": "success", "input": {"workflow_id": "w003", "started_at": "2026-01-27T03:00:00Z", "items": 40}}'
get recommendations 'user_id=u0001&n=3'
post score_suggestion '{"pattern": {"events": ["order.paid", "mail.sent"], "n_events": 2, "support": 0.08, "users": 12, "lift": 3.1}}'
get detect_anomalies 'kind=runs&n=3'
get predictions 'type=success&n=10&select=made_at,entity,value,actual'
get health
get model_health 'type=success'
get model_metrics 'type=success'
get trend 'type=success&bucket=1%20day'
get system_metrics 'metric=in.(models,predictions)'
