/*
 * Tail probabilities against scipy 1.17 (scipy.stats, scipy.special.kolmogorov).
 */
#include "wf_test.h"

#include "core/tails.h"

static void
check_relative(double got, double expected, const char *what)
{
	if (!(fabs(got - expected) <= 1e-9 * fabs(expected)))
	{
		printf("%s: %.17g instead of %.17g\n", what, got, expected);
		WF_CHECK(false);
	}
}

#define WF_CHECK_RELATIVE(a, b) check_relative(a, b, #a)

WF_TEST(normal_and_student_as_in_scipy)
{
	WF_CHECK_RELATIVE(wf_normal_p(0), 1);
	WF_CHECK_RELATIVE(wf_normal_p(0.5), 0.6170750774519738);
	WF_CHECK_RELATIVE(wf_normal_p(-1.96), 0.04999579029644087);
	WF_CHECK_RELATIVE(wf_normal_p(5), 5.733031437583866e-07);
	WF_CHECK_RELATIVE(wf_normal_p(30), 9.813427854295816e-198);
	WF_CHECK_RELATIVE(wf_student_p(0, 5), 1);
	WF_CHECK_RELATIVE(wf_student_p(0.3, 1), 0.8144528418445154);
	WF_CHECK_RELATIVE(wf_student_p(2, 3.7), 0.12181720190523398);
	WF_CHECK_RELATIVE(wf_student_p(-2.5, 40), 0.01662035283097921);
	WF_CHECK_RELATIVE(wf_student_p(12, 15), 4.322734113447168e-09);
	WF_CHECK_RELATIVE(wf_student_p(1.97, 200.5), 0.05021515585170256);
	WF_CHECK_NEAR(wf_student_p(3, 1e6), 0.0026998625414218, 1e-11);
	WF_CHECK_RELATIVE(wf_student_p(40, 30), 1.3726045194406417e-27);
	WF_CHECK_RELATIVE(wf_student_t95(1), 12.706204736174694);
	WF_CHECK_RELATIVE(wf_student_t95(2.5), 3.5746548420036817);
	WF_CHECK_RELATIVE(wf_student_t95(30), 2.0422724563012378);
	WF_CHECK_RELATIVE(wf_student_t95(1000), 1.9623390808264083);
	WF_CHECK_NEAR(wf_student_t95(1e12), 1.959963984540054, 1e-9);
	WF_CHECK_NEAR(wf_student_p(INFINITY, 3), 0, 0);
	WF_CHECK(isnan(wf_student_p(NAN, 3)) && isnan(wf_student_p(1, 0)) && isnan(wf_student_t95(NAN)));
}

WF_TEST(chi2_as_in_scipy)
{
	WF_CHECK_RELATIVE(wf_chi2_p(0.1, 1), 0.7518296340458492);
	WF_CHECK_RELATIVE(wf_chi2_p(3.84, 1), 0.05004352124870519);
	WF_CHECK_RELATIVE(wf_chi2_p(5, 9), 0.8343082601934075);
	WF_CHECK_RELATIVE(wf_chi2_p(30, 9), 0.00043872177097947936);
	WF_CHECK_RELATIVE(wf_chi2_p(9, 9.5), 0.48503564836747937);
	WF_CHECK_RELATIVE(wf_chi2_p(900, 9), 6.186801032394592e-188);
	WF_CHECK_RELATIVE(wf_chi2_p(1000, 1000), 0.49405285382923964);
	WF_CHECK_NEAR(wf_chi2_p(0, 3), 1, 0);
	WF_CHECK_NEAR(wf_chi2_p(INFINITY, 3), 0, 0);
	WF_CHECK(isnan(wf_chi2_p(NAN, 3)) && isnan(wf_chi2_p(1, -1)));
}

WF_TEST(kolmogorov_as_in_scipy)
{
	WF_CHECK_NEAR(wf_kolmogorov_p(0), 1, 0);
	WF_CHECK_RELATIVE(wf_kolmogorov_p(0.3), 0.9999906941986655);
	WF_CHECK_RELATIVE(wf_kolmogorov_p(0.6), 0.8642827790506042);
	WF_CHECK_RELATIVE(wf_kolmogorov_p(0.99), 0.2808738392255489);
	WF_CHECK_RELATIVE(wf_kolmogorov_p(1), 0.26999967167735456);
	WF_CHECK_RELATIVE(wf_kolmogorov_p(1.36), 0.049485876755377876);
	WF_CHECK_RELATIVE(wf_kolmogorov_p(3), 3.045995948942526e-08);
	WF_CHECK_RELATIVE(wf_kolmogorov_p(8), 5.14441874528483e-56);
	WF_CHECK(isnan(wf_kolmogorov_p(NAN)));
}

WF_TEST(sign_test_as_in_scipy)
{
	WF_CHECK_RELATIVE(wf_sign_p(0, 5), 0.0625);
	WF_CHECK_RELATIVE(wf_sign_p(9, 3), 0.14599609375);
	WF_CHECK_NEAR(wf_sign_p(10, 10), 1, 0);
	WF_CHECK_NEAR(wf_sign_p(7, 8), 1, 0);
	WF_CHECK_NEAR(wf_sign_p(0, 0), 1, 0);
	WF_CHECK_RELATIVE(wf_sign_p(100, 160), 0.00023894190306813953);
	WF_CHECK_RELATIVE(wf_sign_p(40, 1), 3.8198777474462986e-11);
	WF_CHECK(isnan(wf_sign_p(-1, 3)));
}
