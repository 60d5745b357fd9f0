/* Orders of levels: small levels joined, absent ones with the heavier side, several classes. */
#include "wf_test.h"

#include "core/category.h"

/* Four levels of three classes; levels 1 and 3 are alike. */
static void
fill(int64_t (*cells)[4], int64_t *total)
{
	static const int64_t of[4][4] = {{30, 28, 1, 1}, {30, 1, 27, 2}, {30, 29, 1, 0}, {30, 0, 28, 2}};

	memset(total, 0, 4 * sizeof(int64_t));
	for (int b = 0; b < 4; b++)
		for (int c = 0; c < 4; c++)
		{
			cells[b][c] = of[b][c];
			total[c] += of[b][c];
		}
}

WF_TEST(alike_levels_go_together)
{
	static const uint8_t bins[] = {0, 1, 2, 3};
	TestHost	th;
	WfLevels   *levels;
	int64_t		cells[256][4] = {{0}};
	int64_t		before[256][4];
	int64_t		total[4];
	WfNodeSplit split = {.score = -1};
	unsigned	left;

	test_host_begin(&th);
	levels = wf_levels_create(&th.host, 3);
	fill(cells, total);
	memcpy(before, cells, sizeof(cells));
	wf_levels_scan(levels, WF_IMPURITY_CLASSES, 9, &cells[0][0], 4, bins, 4, total, 1, false, 10, &split);
	left = split.side[0] & 15;
	WF_CHECK(left == 5 || left == 10);
	WF_CHECK(split.category);
	WF_CHECK_EQ(split.feature, 9);
	WF_CHECK(memcmp(before, cells, sizeof(cells)) == 0);
	/* equal halves: absent levels and missing go left */
	WF_CHECK_EQ(split.side[3] >> 63, 1);
	test_host_end(&th);
}

/* With 31 rows asked for no level stands alone: all join, no split. */
WF_TEST(small_levels_stay_together)
{
	static const uint8_t bins[] = {0, 1, 2, 3};
	TestHost	th;
	WfLevels   *levels;
	int64_t		cells[256][4] = {{0}};
	int64_t		before[256][4];
	int64_t		total[4];
	WfNodeSplit split = {.score = -1};

	test_host_begin(&th);
	levels = wf_levels_create(&th.host, 3);
	fill(cells, total);
	cells[0][0] = 40;
	cells[0][1] = 38;
	total[0] += 10;
	total[1] += 10;
	memcpy(before, cells, sizeof(cells));
	wf_levels_scan(levels, WF_IMPURITY_CLASSES, 1, &cells[0][0], 4, bins, 4, total, 41, false, 0, &split);
	WF_CHECK(split.score < 0);
	/* 0 stands alone; 1, 2 and 3 are one */
	wf_levels_scan(levels, WF_IMPURITY_CLASSES, 1, &cells[0][0], 4, bins, 4, total, 35, false, 0, &split);
	WF_CHECK(split.score > 0);
	WF_CHECK((split.side[0] & 15) == 1 || (split.side[0] & 15) == 14);
	WF_CHECK(memcmp(before, cells, sizeof(cells)) == 0);
	/* the three weigh more: absent levels follow them */
	WF_CHECK_EQ((split.side[0] >> 1) & 1, split.side[3] >> 63);
	test_host_end(&th);
}

/* A class that one level has alone is cut off although the first component looks elsewhere. */
WF_TEST(one_against_the_rest)
{
	static const uint8_t bins[] = {0, 1, 2};
	static const int64_t of[3][4] = {{20, 10, 10, 0}, {20, 10, 10, 0}, {9, 0, 0, 9}};
	TestHost	th;
	WfLevels   *levels;
	int64_t		cells[256][4] = {{0}};
	int64_t		total[4] = {49, 20, 20, 9};
	WfNodeSplit split = {.score = -1};

	test_host_begin(&th);
	levels = wf_levels_create(&th.host, 3);
	memcpy(cells, of, sizeof(of));
	wf_levels_scan(levels, WF_IMPURITY_CLASSES, 1, &cells[0][0], 4, bins, 3, total, 1, true, 0, &split);
	WF_CHECK((split.side[0] & 7) == 4 || (split.side[0] & 7) == 3);
	WF_CHECK_NEAR(split.score, 9 + 2 * 400.0 / 40, 1e-9);
	/* nothing better than what is known already */
	split.score = 1000;
	split.feature = 77;
	wf_levels_scan(levels, WF_IMPURITY_CLASSES, 1, &cells[0][0], 4, bins, 3, total, 1, true, 0, &split);
	WF_CHECK_EQ(split.feature, 77);
	test_host_end(&th);
}
