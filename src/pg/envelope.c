/*-------------------------------------------------------------------------
 * envelope.c
 *	  The bytes of export_model(): a model and how it came to be.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/cryptohash.h"
#include "common/sha2.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#include "core/model.h"
#include "pg/compat.h"
#include "pg/envelope.h"

#define MAGIC "WFEXPORT"
#define MAGIC_BYTES 8
#define ENVELOPE_VERSION 1

/* The description is small; what is longer is not ours. */
#define MAX_DESCRIPTION (16 * 1024 * 1024)

typedef struct Head
{
	char		magic[MAGIC_BYTES];
	uint32		version;
	uint32		description_bytes;
	uint64		model_bytes;
	uint8		sha256[PG_SHA256_DIGEST_LENGTH];
} Head;

StaticAssertDecl(sizeof(Head) == 56, "the head of an export has 56 bytes");

#ifdef WORDS_BIGENDIAN
#error "models are little-endian"
#endif

/* Of everything but the checksum itself. */
static void
checksum(const Head *head, const void *description, const void *model, uint8 *sha256)
{
	pg_cryptohash_ctx *hash = pg_cryptohash_create(PG_SHA256);

	if (pg_cryptohash_init(hash) < 0 ||
		pg_cryptohash_update(hash, (const uint8 *) head, offsetof(Head, sha256)) < 0 ||
		pg_cryptohash_update(hash, description, head->description_bytes) < 0 ||
		pg_cryptohash_update(hash, model, head->model_bytes) < 0 ||
		pg_cryptohash_final(hash, sha256, PG_SHA256_DIGEST_LENGTH) < 0)
		elog(ERROR, "could not compute a SHA-256 checksum");
	pg_cryptohash_free(hash);
}

bytea *
wfml_envelope_write(const WfmlEnvelope *envelope)
{
	char	   *text = JsonbToCString(NULL, &envelope->description->root, VARSIZE(envelope->description));
	char	   *description = (char *) pg_do_encoding_conversion((unsigned char *) text, strlen(text),
																GetDatabaseEncoding(), PG_UTF8);
	Head		head;
	Size		size;
	bytea	   *bytes;
	char	   *at;

	memcpy(head.magic, MAGIC, MAGIC_BYTES);
	head.version = ENVELOPE_VERSION;
	head.description_bytes = strlen(description);
	head.model_bytes = envelope->model_bytes;
	size = sizeof(Head) + head.description_bytes + envelope->model_bytes;
	if (size > WFML_EXPORT_LIMIT)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("model is too large to export"),
				 errdetail("It has %zu MB; the limit is %zu MB.", size >> 20, WFML_EXPORT_LIMIT >> 20),
				 errhint("Carry it with pg_dump instead.")));
	checksum(&head, description, envelope->model, head.sha256);
	bytes = palloc(VARHDRSZ + size);
	SET_VARSIZE(bytes, VARHDRSZ + size);
	at = VARDATA(bytes);
	memcpy(at, &head, sizeof(Head));
	memcpy(at + sizeof(Head), description, head.description_bytes);
	memcpy(at + sizeof(Head) + head.description_bytes, envelope->model, envelope->model_bytes);
	return bytes;
}

static void
invalid(const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("artifact is not a valid export of a model"),
			 errdetail("%s", detail)));
}

static Jsonb *
read_description(const char *bytes, size_t length)
{
	char	   *text;
	Jsonb	   *object;

	if (!pg_verify_mbstr(PG_UTF8, bytes, length, true))
		invalid("Its description is not valid UTF-8.");
	text = (char *) pg_do_encoding_conversion((unsigned char *) pnstrdup(bytes, length), length,
											  PG_UTF8, GetDatabaseEncoding());
	object = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
	if (!JB_ROOT_IS_OBJECT(object))
		invalid("Its description is not a JSON object.");
	return object;
}

void
wfml_envelope_read(const bytea *bytes, WfmlEnvelope *envelope)
{
	const char *at = VARDATA_ANY(bytes);
	size_t		length = VARSIZE_ANY_EXHDR(bytes);
	Head		head;
	uint8		sha256[PG_SHA256_DIGEST_LENGTH];

	envelope->description = NULL;
	envelope->model = at;
	envelope->model_bytes = length;
	if (length >= MAGIC_BYTES && memcmp(at, WF_MODEL_MAGIC, MAGIC_BYTES) == 0)
		return;
	if (length < sizeof(Head) || memcmp(at, MAGIC, MAGIC_BYTES) != 0)
		invalid("It does not start as one.");
	memcpy(&head, at, sizeof(Head));
	if (head.version != ENVELOPE_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("export has format version %u, but only version %d is supported", head.version, ENVELOPE_VERSION),
				 errhint("Update the extension wfml here.")));
	length -= sizeof(Head);
	at += sizeof(Head);
	if (head.description_bytes > MAX_DESCRIPTION || head.description_bytes > length ||
		head.model_bytes != length - head.description_bytes)
		invalid("Its lengths do not add up; perhaps it was cut off.");
	checksum(&head, at, at + head.description_bytes, sha256);
	if (memcmp(sha256, head.sha256, sizeof(sha256)) != 0)
		invalid("Its SHA-256 checksum does not match.");
	envelope->description = read_description(at, head.description_bytes);
	envelope->model = at + head.description_bytes;
	envelope->model_bytes = head.model_bytes;
}
