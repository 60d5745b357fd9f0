/*-------------------------------------------------------------------------
 * tree.h
 *	  Trees: how growers hand them over, how they are stored, how they are
 *	  walked.
 *
 * Growers produce an array of WfGrownNode; wf_tree_pack() turns one tree into
 * packed words, position-independent and self-contained, so that trees grown
 * by different members (or on different machines) can simply be put one
 * after another.
 *
 * Packed words.  A row is first turned into slots: slot s holds the bin of
 * feature slot_feature[s], where a missing value is WF_MISSING_BIN (goes
 * right) or, in a slot made for "missing goes left", bin 0.  A tree is a
 * sequence of 32-bit words in preorder; all splits say "slot's bin <= bin
 * goes left".
 *
 *	narrow ensembles (at most 254 slots)
 *	  split    [slot:8 | bin:8 | skip:16]   right child at this word's index +
 *	           skip, left child next; skip = 0: a word with the 32-bit skip
 *	           (from the split's first word as well) follows, then the left child
 *	  category the same with bin = 0; then (after the skip word, if any) a word
 *	           with the index of the tree's bitset: bit of the bin set = left
 *	  leaf     [255:8 | payload:24]
 *	wide ensembles (up to 65,534 slots)
 *	  split    [slot:16 | bin:8 | 0:8] [skip:32], category: one more word
 *	  leaf     [65535:16 | 0:16] [payload:32]
 *
 *	Fields are named from the lowest bits: the lowest byte (wide: 16 bits) of
 *	the word is the slot.  Whether a slot is a category's stands in slot_flags.
 *	A number's split has bin 0..254; its last bin (n_bins - 1) parts present
 *	values from missing ones.  Payload of a leaf: for ensembles with
 *	value leaves, an index into the tree's float values; for classes, c < K: a
 *	pure leaf of class c, else K + index of the tree's distributions (K floats
 *	each that sum to 1; with two classes 1 float, P(class 1)).
 *
 *	ratios: one uint16 per split in order of its word: the share of the node's
 *	training weight that went left, in 1/65536 (clipped to 1..65535); used by
 *	TreeSHAP only, and kept apart so that prediction never touches it.
 *
 * Section "TREE" of an artifact, everything little-endian:
 *	  WfEnsembleHeader, then at the offsets given there, each 64-byte aligned:
 *	  slot_feature uint16[n_slots], slot_flags uint8[n_slots],
 *	  directory WfTreeEntry[n_trees], words uint32[n_words],
 *	  ratios uint16[n_splits], bitsets uint64[4 * n_bitsets],
 *	  floats float[n_floats] (leaf values or distributions), base double[n_outputs]
 *-------------------------------------------------------------------------
 */
#ifndef WF_TREE_H
#define WF_TREE_H

#include "core/dataset.h"
#include "core/host.h"

#define WF_NARROW_SLOTS 254
#define WF_LEAF_BYTE 255
#define WF_NO_SLOT 65535
#define WF_MAX_SHORT_SKIP 65535
/* Payloads of narrow leaves have 24 bits. */
#define WF_MAX_PAYLOAD ((UINT32_C(1) << 24) - 1)
#define WF_MAX_TREE_WORDS INT32_MAX

/* One node as a grower made it; children follow in any order, root is 0. */
typedef struct WfGrownNode
{
	uint32_t	left;			/* 0: a leaf */
	uint32_t	right;
	uint16_t	feature;
	uint8_t		bin;			/* numbers: bin <= this goes left */
	bool		missing_left;	/* numbers: where missing goes */
	uint32_t	bitset;			/* categories: index into the tree's bitsets */
	float		weight;			/* training weight (or rows) of the node; > 0 */
	float		value;			/* leaf: value of ensembles with value leaves */
	uint32_t	payload;		/* leaf of class ensembles: class c < K, or K + index of a distribution */
} WfGrownNode;

typedef struct WfGrownTree
{
	uint32_t	n_nodes;
	const WfGrownNode *nodes;
	uint32_t	n_bitsets;
	const uint64_t (*bitsets)[4];	/* bit b of the 256 set: bin b goes left (255 = missing) */
	uint32_t	n_distributions;
	const float *distributions; /* n_distributions × (K > 2 ? K : 1) */
} WfGrownTree;

typedef enum WfLeafKind
{
	WF_LEAF_VALUE = 0,			/* one float; outputs are sums (boosting) or means (forest) */
	WF_LEAF_CLASS = 1			/* class or distribution; outputs are mean distributions */
} WfLeafKind;

typedef enum WfCombine
{
	WF_COMBINE_SUM = 0,			/* base + sum of value leaves; tree t adds to output t % n_outputs */
	WF_COMBINE_MEAN = 1			/* base + mean over trees, every tree gives all outputs */
} WfCombine;

/* Which slots exist: a property of the data set, the same for every tree. */
typedef struct WfSlots
{
	uint32_t	n_slots;
	uint16_t   *slot_feature;	/* n_slots */
	uint8_t    *slot_flags;		/* WF_SLOT_* */
	uint16_t   *right_slot;		/* by feature: slot where missing goes right (categories: their slot) */
	uint16_t   *left_slot;		/* by feature: slot where missing goes left, 65535 if none */
	bool		wide;
} WfSlots;

#define WF_SLOT_CATEGORY 1
#define WF_SLOT_MISSING_LEFT 2

/*
 * Slots for a data set: slot f for feature f, and after them one more for each
 * number feature with missing values.  A split that wants missing to go left
 * on a feature without such a slot is stored as missing right; growers look at
 * left_slot so that this never changes their rows.  From the host.
 */
WfSlots    *wf_slots_create(WfHost *host, uint32_t d, const uint8_t *is_category, const uint8_t *has_missing);

/* Directory entry of a packed tree. */
typedef struct WfTreeEntry
{
	uint64_t	first_word;
	uint64_t	first_split;	/* into ratios */
	uint64_t	first_float;	/* into floats */
	uint32_t	first_bitset;
	uint32_t	n_words;
	uint32_t	n_splits;
	uint32_t	n_floats;
	uint32_t	n_bitsets;
	uint32_t	depth;			/* splits on the longest path, for information: only its range is verified */
} WfTreeEntry;

/*
 * Append a tree to out as one block of bytes (out is first padded to a
 * multiple of 8) and return the block's length, a multiple of 8.  The block
 * may be copied anywhere: WfTreeEntry (offsets 0), bitsets, words, floats,
 * ratios.  Equal bitsets are kept once.  Temporary memory: 12 bytes a node
 * and 20 a bitset.
 */
size_t		wf_tree_pack(WfBytes *out, const WfSlots *slots, WfLeafKind leaf, int n_classes,
						 const WfGrownTree *tree);

/*
 * Append the whole section made of packed trees, in order, at the next
 * multiple of 64.  trees[i] points to what wf_tree_pack() wrote (any
 * alignment).  base: n_outputs values (NULL: zeros, and so with leaves of classes).
 */
void		wf_ensemble_write(WfBytes *out, const WfSlots *slots, WfLeafKind leaf, WfCombine combine,
							  int n_classes, int n_outputs, const double *base,
							  uint32_t n_trees, const uint8_t *const *trees);

typedef struct WfEnsembleHeader
{
	uint32_t	n_trees;
	uint32_t	n_slots;
	uint32_t	n_features;
	uint16_t	n_outputs;		/* 1 for regression and two classes, else K */
	uint16_t	n_classes;		/* 0 for regression */
	uint8_t		leaf;			/* WfLeafKind */
	uint8_t		combine;		/* WfCombine */
	uint8_t		wide;
	uint8_t		has_category;
	uint32_t	reserved;
	uint64_t	n_words;
	uint64_t	n_splits;
	uint64_t	n_bitsets;
	uint64_t	n_floats;
	uint64_t	slot_feature_at;	/* offsets from the start of the section */
	uint64_t	slot_flags_at;
	uint64_t	directory_at;
	uint64_t	words_at;
	uint64_t	ratios_at;
	uint64_t	bitsets_at;
	uint64_t	floats_at;
	uint64_t	base_at;
} WfEnsembleHeader;

/* A verified ensemble: pointers into the section's bytes. */
typedef struct WfEnsemble
{
	const WfEnsembleHeader *header;
	const uint16_t *slot_feature;
	const uint8_t *slot_flags;
	const WfTreeEntry *directory;
	const uint32_t *words;
	const uint16_t *ratios;
	const uint64_t (*bitsets)[4];
	const float *floats;
	const double *base;
} WfEnsemble;

/*
 * Check every offset, count, child, slot, bin and payload of a section once
 * (WF_E_CORRUPT otherwise); after this walking needs no checks.  Each word
 * must be reached exactly once from its tree's root.  n_features and
 * is_category (by feature) come from the artifact's schema.
 */
void		wf_ensemble_open(WfHost *host, const void *section, size_t length,
							 uint32_t n_features, const uint8_t *is_category, int n_classes,
							 WfEnsemble *out);
/* The same for a section that was checked before: only finds its parts. */
void		wf_ensemble_use(WfHost *host, const void *section, size_t length,
							uint32_t n_features, int n_classes, WfEnsemble *out);

/* One decoded node, for code that visits whole trees (TreeSHAP, inspection). */
typedef struct WfNode
{
	bool		leaf;
	bool		category;
	bool		missing_left;	/* numbers */
	uint16_t	feature;
	uint8_t		bin;
	const uint64_t *bitset;		/* categories: 4 words */
	uint32_t	left;			/* word index in the tree */
	uint32_t	right;
	uint32_t	payload;		/* leaf */
} WfNode;

void		wf_node_read(const WfEnsemble *e, const WfTreeEntry *tree, uint32_t word, WfNode *out);
/* Outputs of a leaf: 1 value (VALUE, or two classes), or K probabilities. */
void		wf_leaf_outputs(const WfEnsemble *e, const WfTreeEntry *tree, uint32_t payload, double *out);

/* Slots of a row of bins (one byte per feature). */
void		wf_slots_fill(const WfEnsemble *e, const uint8_t *bins, uint8_t *slots);
/* Raw outputs (n_outputs) of a row of bins, straightforward walk of every tree. */
void		wf_ensemble_score_bins(const WfEnsemble *e, const uint8_t *bins, double *out);
/* The same for trees [first, last) without base or division: adds into sums. */
void		wf_ensemble_add_bins(const WfEnsemble *e, uint32_t first, uint32_t last,
								 const uint8_t *bins, double *sums);

#endif							/* WF_TREE_H */
