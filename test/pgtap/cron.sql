-- Cron expressions: against croniter (Python), read as Vixie cron reads them;
-- across changes of the clock against a walk over all minutes.

\set QUIET 1
SET client_min_messages = warning;
SET TimeZone = 'UTC';
SELECT plan(34);

CREATE TEMP TABLE truth (expression text, after timestamptz, next timestamptz);
INSERT INTO truth VALUES
    ('*/12 * 23 * 2', '2011-12-26 11:43:22+00', '2011-12-27 00:00:00+00'),
    ('* 11-18/1 19,23 * *', '2031-06-15 04:14:19+00', '2031-06-19 11:00:00+00'),
    ('42-44 21 23-28 10-11 *', '2018-08-16 11:31:33+00', '2018-10-23 21:42:00+00'),
    ('2-33 11-17/1 5,11-21 mar-apr *', '2005-04-27 18:06:06+00', '2006-03-05 11:02:00+00'),
    ('11-41 22-23 * * 3-sat', '2004-02-21 20:29:48+00', '2004-02-21 22:11:00+00'),
    ('* * * 4 3,2-6', '2037-09-24 07:16:08+00', '2038-04-01 00:00:00+00'),
    ('* * 16 * *', '2028-07-17 16:00:58+00', '2028-08-16 00:00:00+00'),
    ('2-39/2 6 * * 1-thu', '2004-03-22 15:36:13+00', '2004-03-23 06:02:00+00'),
    ('9,2 * * 6-10 0', '2039-12-03 22:18:59+00', '2040-06-03 00:02:00+00'),
    ('* 22,0,7-10/1 23-27/4 */6 3-4', '2014-02-05 13:13:01+00', '2014-07-02 00:00:00+00'),
    ('20,56-59,23-39 */6 6-9/4 10-12 2', '2022-07-03 14:15:13+00', '2022-10-04 00:20:00+00'),
    ('54 19-23/1 * * *', '2007-02-20 07:53:58+00', '2007-02-20 19:54:00+00'),
    ('52-59,45-54 2 * 2-6/4,8-12/1 *', '2025-06-24 00:58:47+00', '2025-06-24 02:45:00+00'),
    ('* * 3-19/3 * 1-thu', '2033-12-09 18:37:42+00', '2033-12-09 18:38:00+00'),
    ('13-39/4 * * 2-may 1-3/1', '2033-08-09 08:11:14+00', '2034-02-01 00:13:00+00'),
    ('* 1-18 * 9-nov *', '2025-03-17 15:32:20+00', '2025-09-01 01:00:00+00'),
    ('* * 14-17/1,6 aug,10,6-9 *', '2016-09-28 08:43:01+00', '2016-10-06 00:00:00+00'),
    ('* 21-23 15 * 5', '2022-02-28 22:53:58+00', '2022-03-04 21:00:00+00'),
    ('18 */5 * 7-10/4 2-5,1-sat,wed-5', '2032-07-26 13:14:32+00', '2032-07-26 15:18:00+00'),
    ('* */8 23-27/2 * 0', '2013-09-13 03:36:00+00', '2013-09-15 00:00:00+00'),
    ('55-57 21-23,6-17 */10 2 */2', '2028-12-10 19:35:09+00', '2029-02-01 06:55:00+00'),
    ('29-56 2-18 * * *', '2025-02-25 16:08:02+00', '2025-02-25 16:29:00+00'),
    ('* 12,1-7,10 * 6 1-3/5,tue', '2028-01-06 04:20:11+00', '2028-06-05 01:00:00+00'),
    ('* */11 * may,nov-12,9 *', '2022-12-02 12:50:05+00', '2022-12-02 22:00:00+00'),
    ('0-3 * * * *', '2022-06-18 21:08:19+00', '2022-06-18 22:00:00+00'),
    ('47-49,53-54,11-30/5 * * * *', '2023-12-06 22:42:25+00', '2023-12-06 22:47:00+00'),
    ('* * * 7-nov 5', '2004-03-15 21:01:30+00', '2004-07-02 00:00:00+00'),
    ('2-15,42 * 26 4-5/3 3', '2011-12-25 07:19:49+00', '2012-04-04 00:02:00+00'),
    ('31,15-31 * * jan,10 3-4', '2022-09-14 05:30:06+00', '2022-10-05 00:15:00+00'),
    ('42,55-58 15 * * */3', '2018-11-15 23:51:17+00', '2018-11-17 15:42:00+00'),
    ('15-44 15,8,0 * * *', '2015-12-25 22:54:29+00', '2015-12-26 00:15:00+00'),
    ('* 5 4,17-29 1-7 thu', '2029-09-25 13:37:39+00', '2030-01-03 05:00:00+00'),
    ('29-40/5 * * */5 */3', '2029-06-06 09:33:43+00', '2029-06-06 09:34:00+00'),
    ('* 11-21 * * 0-6', '2011-08-25 23:02:15+00', '2011-08-26 11:00:00+00'),
    ('23,53 1 20-28,4-18 */2 1-4/2,2', '2011-08-07 01:28:14+00', '2011-09-04 01:23:00+00'),
    ('* 10-14 * * *', '2022-05-10 23:51:30+00', '2022-05-11 10:00:00+00'),
    ('*/22 12-14 * 8-9/3 1', '2015-07-19 12:06:49+00', '2015-08-03 12:00:00+00'),
    ('15,11-24/1 0-22,19-23/2 * * *', '2017-10-26 14:49:35+00', '2017-10-26 15:11:00+00'),
    ('* * 19-25,22-24 jul-12,10-dec 0-1/3', '2023-01-29 06:56:12+00', '2023-07-02 00:00:00+00'),
    ('16 * * * *', '2005-04-26 07:37:40+00', '2005-04-26 08:16:00+00')
    ;

SELECT is_empty($$ SELECT expression, after, next, wfml.cron_next(expression, after, 'UTC') FROM truth
    WHERE wfml.cron_next(expression, after, 'UTC') IS DISTINCT FROM next $$, 'dozens of expressions as croniter reads them');
SELECT is_empty($$ SELECT * FROM truth WHERE next IS NOT NULL AND NOT wfml.cron_matches(expression, next, 'UTC') $$, 'the next moment matches');
SELECT is_empty($$ SELECT expression, m FROM truth, generate_series(1, 600) i, LATERAL (SELECT after + i * interval '1 minute') x (m)
    WHERE m < next AND wfml.cron_matches(expression, m, 'UTC') AND date_trunc('minute', m) > after $$, 'and none before it does');

-- forms
SELECT is(wfml.cron_next('@daily', '2026-01-05 10:00'), '2026-01-06 00:00'::timestamptz, '@daily');
SELECT is(wfml.cron_next('@HOURLY', '2026-01-05 10:00'), '2026-01-05 11:00'::timestamptz, '@hourly, in capitals');
SELECT is(wfml.cron_next('  0   6 * *   fri-sun ', '2026-01-05'), '2026-01-09 06:00'::timestamptz, 'spaces, a range of names');
SELECT is(wfml.cron_next('0 6 * * 7', '2026-01-05'), '2026-01-11 06:00'::timestamptz, '7 is Sunday');
SELECT is(wfml.cron_next('0 6 * JAN 0', '2026-01-05'), '2026-01-11 06:00'::timestamptz, '0 is Sunday');
SELECT is(wfml.cron_next('10/20 * * * *', '2026-01-05 00:31'), '2026-01-05 00:50'::timestamptz, 'from a number on in steps');
SELECT is(wfml.cron_next('0 0 13 * fri', '2026-01-05'), '2026-01-09'::timestamptz, 'both days restricted: either is enough');
SELECT is(wfml.cron_next('0 0 */2 * fri', '2026-01-05'), '2026-01-09'::timestamptz, 'a step is no restriction: both must match');
SELECT is(wfml.cron_next('0 0 29 2 */7', '2026-01-05'), '2032-02-29'::timestamptz, 'a leap day that is a Sunday');
SELECT is(wfml.cron_next('0 0 31 2 *', now()), NULL, '31 February never comes');
SELECT is(wfml.cron_next('* * * * *', 'infinity'), NULL, 'nothing comes after infinity');
SELECT is(wfml.cron_next('* * * * *', '2026-01-05 10:00:00.5'), '2026-01-05 10:01'::timestamptz, 'whole minutes');
SELECT is(wfml.cron_matches('5 10 * * *', '2026-01-05 10:05:59'), true, 'any second of the minute matches');
SELECT is(wfml.cron_matches('5 10 * * *', '2026-01-05 11:05', 'Europe/Berlin'), false, 'the zone counts');
SELECT is(wfml.cron_next(NULL, now()), NULL, 'NULL');

-- clocks: Berlin skips 2026-03-29 02:00 to 03:00, and repeats 2026-10-25 02:00 to 03:00
SELECT is(wfml.cron_next('30 2 * * *', '2026-03-28 12:00', 'Europe/Berlin'), '2026-03-29 01:00'::timestamptz, 'a skipped time comes when the clocks have gone forward');
SELECT is(wfml.cron_next('30 2 * * *', '2026-03-29 01:00', 'Europe/Berlin'), '2026-03-30 00:30'::timestamptz, 'and only then');
SELECT is(wfml.cron_next('30 2 * * *', '2026-10-24 12:00', 'Europe/Berlin'), '2026-10-25 00:30'::timestamptz, 'a repeated time comes at first');
SELECT is(wfml.cron_next('30 2 * * *', '2026-10-25 00:30', 'Europe/Berlin'), '2026-10-26 01:30'::timestamptz, 'and not again');
SELECT is(wfml.cron_next('30 * * * *', '2026-03-29 00:30', 'Europe/Berlin'), '2026-03-29 01:30'::timestamptz, 'every hour: skipped ones do not occur');
SELECT is(wfml.cron_next('30 * * * *', '2026-10-25 00:30', 'Europe/Berlin'), '2026-10-25 01:30'::timestamptz, 'every hour: repeated ones occur twice');

-- errors
SELECT throws_ok($$ SELECT wfml.cron_next('61 * * * *', now()) $$, '22023', 'minute 61 in a cron expression is not between 0 and 59');
SELECT throws_ok($$ SELECT wfml.cron_next('* * * 13 *', now()) $$, '22023', 'month 13 in a cron expression is not between 1 and 12');
SELECT throws_ok($$ SELECT wfml.cron_next('* * * *', now()) $$, '22023', 'a cron expression has 5 fields, this one has 4');
SELECT throws_ok($$ SELECT wfml.cron_next('* * 20-10 * *', now()) $$, '22023', 'day of month field "20-10" of a cron expression has a range that runs backwards');
SELECT throws_ok($$ SELECT wfml.cron_next('*/0 * * * *', now()) $$, '22023', 'minute field "*/0" of a cron expression has a step of 0');
SELECT throws_ok($$ SELECT wfml.cron_next('1,, * * * *', now()) $$, '22023', 'minute field "1,," of a cron expression lacks a value');
SELECT throws_ok($$ SELECT wfml.cron_next('* * L * *', now()) $$, '22023', 'day of month field "L" of a cron expression has something that is not a value');
SELECT throws_ok($$ SELECT wfml.cron_next('@reboot', now()) $$, '22023', 'unknown cron expression "@reboot"');
SELECT throws_ok($$ SELECT wfml.cron_next('', now()) $$, '22023', 'a cron expression has 5 fields, this one has 0');
SELECT throws_ok($$ SELECT wfml.cron_next('* * * * *', now(), 'Mars') $$, '22023', 'time zone "Mars" not recognized');

SELECT * FROM finish();
