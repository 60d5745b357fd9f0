/*-------------------------------------------------------------------------
 * paired.c
 *	  Paired bootstrap and McNemar's test.
 *-------------------------------------------------------------------------
 */
#include "core/paired.h"

#include <math.h>

#include "core/mathx.h"
#include "core/rng.h"

#define MIN_ROUNDS 20

/* 0.975 quantile of the normal distribution */
#define Z95 1.959963984540054

/*
 * 2^32 times P(X <= k) for a Poisson variable of mean 1, k = 0, 1, …: how many
 * of them a uniform 32-bit number passes is such a variable.  Above 11 its
 * probability is less than 2^-32.
 */
static const uint32_t poisson_steps[12] = {
	1580030169u, 3160060337u, 3950075422u, 4213413783u, 4279248374u, 4292415292u,
	4294609778u, 4294923276u, 4294962463u, 4294966817u, 4294967253u, 4294967292u
};

static inline uint32_t
poisson(uint32_t u)
{
	uint32_t	k = 0;

	for (int i = 0; i < 12; i++)
		k += u >= poisson_steps[i];
	return k;
}

/* Rows drawn together: their losses and how many they are. */
typedef struct Group
{
	double		a;
	double		b;
	double		n;
} Group;

static Group *
gather(WfHost *host, const double *loss_a, const double *loss_b, const uint16_t *unit, size_t n, size_t n_groups)
{
	Group	   *group = wf_alloc_zero(host, n_groups, sizeof(Group));

	for (size_t start = 0; start < n; start += n_groups)
	{
		size_t		m = n - start < n_groups ? n - start : n_groups;

		for (size_t i = 0; i < m; i++)
		{
			size_t		g = unit ? unit[start + i] : i;

			group[g].a += loss_a[start + i];
			group[g].b += loss_b[start + i];
			group[g].n += 1;
		}
		host->check(host);
	}
	return group;
}

/* Sums of one replicate; false when it drew nothing, which happens with very few rows. */
static bool
draw(const Group *group, size_t n_groups, uint64_t key, Group *sum)
{
	*sum = (Group) {0};
	for (size_t g = 0; g < n_groups; g += 2)
	{
		uint64_t	r = wf_rng(key, g);
		double		w = poisson((uint32_t) (r >> 32));

		sum->a += w * group[g].a;
		sum->b += w * group[g].b;
		sum->n += w * group[g].n;
		if (g + 1 == n_groups)
			break;
		w = poisson((uint32_t) r);
		sum->a += w * group[g + 1].a;
		sum->b += w * group[g + 1].b;
		sum->n += w * group[g + 1].n;
	}
	return sum->n > 0;
}

static inline double
mean_of(double sum, double n, bool root)
{
	double		mean = sum / n;

	return root ? sqrt(mean) : mean;
}

static void
sift_down(double *v, size_t root, size_t n)
{
	double		x = v[root];
	size_t		child;

	while ((child = 2 * root + 1) < n)
	{
		if (child + 1 < n && v[child + 1] > v[child])
			child++;
		if (v[child] <= x)
			break;
		v[root] = v[child];
		root = child;
	}
	v[root] = x;
}

static void
sort_doubles(double *v, size_t n)
{
	for (size_t i = n / 2; i-- > 0;)
		sift_down(v, i, n);
	for (size_t i = n; i-- > 1;)
	{
		double		top = v[0];

		v[0] = v[i];
		v[i] = top;
		sift_down(v, 0, i);
	}
}

/* Quantile of sorted values, interpolated. */
static double
quantile(const double *v, size_t n, double p)
{
	double		at = p * (double) (n - 1);
	size_t		i = (size_t) at;

	if (i + 1 >= n)
		return v[n - 1];
	return v[i] + (at - (double) i) * (v[i + 1] - v[i]);
}

/* Twice the smaller share of replicates on either side of no difference, sorted ones given. */
static double
two_sided_p(const double *difference, size_t n)
{
	size_t		not_above = 0;
	size_t		not_below = 0;
	double		p;

	for (size_t i = 0; i < n; i++)
	{
		not_above += difference[i] <= 0;
		not_below += difference[i] >= 0;
	}
	p = 2.0 * (double) ((not_above < not_below ? not_above : not_below) + 1) / (double) (n + 1);
	return p < 1 ? p : 1;
}

void
wf_paired_bootstrap(WfHost *host, const double *loss_a, const double *loss_b, const uint16_t *unit, size_t n,
					uint64_t seed, int rounds, bool root, WfPaired *out)
{
	size_t		n_groups = n < WF_PAIRED_UNITS && unit == NULL ? n : WF_PAIRED_UNITS;
	size_t		n_rounds = rounds < MIN_ROUNDS ? MIN_ROUNDS : (size_t) rounds;
	Group	   *group;
	Group		total = {0};
	double	   *difference;
	double	   *relative;

	if (n == 0)
	{
		*out = (WfPaired) {NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
		return;
	}
	group = gather(host, loss_a, loss_b, unit, n, n_groups);
	difference = wf_alloc(host, n_rounds, sizeof(double));
	relative = wf_alloc(host, n_rounds, sizeof(double));
	for (size_t g = 0; g < n_groups; g++)
	{
		total.a += group[g].a;
		total.b += group[g].b;
	}
	out->a = mean_of(total.a, (double) n, root);
	out->b = mean_of(total.b, (double) n, root);
	out->difference = out->b - out->a;
	out->relative = out->a > 0 ? out->difference / out->a : NAN;
	for (size_t r = 0; r < n_rounds; r++)
	{
		Group		sum;
		uint64_t	again = 0;
		double		a;

		while (!draw(group, n_groups, wf_rng(wf_rng(seed, r), again), &sum))
			again++;
		a = mean_of(sum.a, sum.n, root);
		difference[r] = mean_of(sum.b, sum.n, root) - a;
		/* A replicate without any loss says nothing of proportions. */
		relative[r] = a > 0 ? difference[r] / a : out->relative;
		host->check(host);
	}
	sort_doubles(difference, n_rounds);
	sort_doubles(relative, n_rounds);
	out->lower95 = quantile(difference, n_rounds, 0.05);
	out->upper95 = quantile(difference, n_rounds, 0.95);
	out->lower = quantile(difference, n_rounds, 0.025);
	out->upper = quantile(difference, n_rounds, 0.975);
	out->relative_lower95 = out->a > 0 ? quantile(relative, n_rounds, 0.05) : NAN;
	out->relative_upper95 = out->a > 0 ? quantile(relative, n_rounds, 0.95) : NAN;
	out->p_value = two_sided_p(difference, n_rounds);
	wf_release(host, relative);
	wf_release(host, difference);
	wf_release(host, group);
}

/* log n!: summed up to 20, Stirling's series beyond (error below 1e-12). */
static double
log_factorial(double n)
{
	double		sum = 0;

	if (n <= 20)
	{
		for (double i = 2; i <= n; i++)
			sum += wf_log(i);
		return sum;
	}
	return n * wf_log(n) - n + 0.5 * wf_log(6.283185307179586 * n) +
		1 / (12 * n) - 1 / (360 * n * n * n) + 1 / (1260 * n * n * n * n * n);
}

double
wf_mcnemar(uint64_t only_a, uint64_t only_b)
{
	double		k = (double) (only_a < only_b ? only_a : only_b);
	double		n = (double) only_a + (double) only_b;
	double		term;
	double		sum = 0;
	double		first;

	if (only_a == only_b)
		return 1;
	first = wf_exp(log_factorial(n) - log_factorial(k) - log_factorial(n - k) - n * 0.6931471805599453);
	/* P(X <= k) from its largest term down. */
	term = first;
	for (double i = k; term > 0; i--)
	{
		sum += term;
		term *= i / (n - i + 1);
		if (term < sum * 1e-17)
			break;
	}
	return 2 * sum - first < 1 ? 2 * sum - first : 1;
}

void
wf_paired_shares(uint64_t only_a, uint64_t only_b, uint64_t n, double *lower, double *upper)
{
	double		m = (double) n + 2;
	double		a = ((double) only_a + 1) / m;
	double		b = ((double) only_b + 1) / m;
	double		half = Z95 * sqrt((a + b - (b - a) * (b - a)) / m);

	*lower = b - a - half > -1 ? b - a - half : -1;
	*upper = b - a + half < 1 ? b - a + half : 1;
}
