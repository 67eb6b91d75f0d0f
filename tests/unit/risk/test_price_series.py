"""Files of market history: the forms that are read, and every doubt that is refused by name."""

import pytest

from holdfast.common.errors import Rejected
from holdfast.risk.price_series import CLOSES, GAS, TOKENS, as_of, moment, read_series, seconds_of

HOURS = """ts_utc,open,high,low,close,volume
2020-03-11T00:00Z,10,12,9.5,11,5
2020-03-11T01:00Z,11,11,8,8.12345678,5
2020-03-11T02:00Z,8,9,8,9,5
"""


def read(text, columns=CLOSES, decimals=8):
    return read_series(text.splitlines(), "prices.csv", columns, decimals)


def refusal(text, columns=CLOSES):
    with pytest.raises(Rejected) as caught:
        read(text, columns)
    return caught.value


def samples(series):
    return [(moment(one.start), one.low, one.value) for one in series.samples]


def test_bars_give_their_close_and_their_low():
    assert samples(read(HOURS)) == [
        ("2020-03-11T00:00Z", 9_5000_0000, 11_0000_0000),
        ("2020-03-11T01:00Z", 8_0000_0000, 8_1234_5678),
        ("2020-03-11T02:00Z", 8_0000_0000, 9_0000_0000),
    ]
    assert read(HOURS).interval == 3_600
    assert read(HOURS).gaps() == ()


def test_a_series_of_days_has_no_low_of_its_own():
    assert samples(read("date,eth_usd\n2020-03-11,200\n2020-03-12,110\n")) == [
        ("2020-03-11T00:00Z", 200_0000_0000, 200_0000_0000),
        ("2020-03-12T00:00Z", 110_0000_0000, 110_0000_0000),
    ]


def test_blocks_are_timed_in_seconds_and_gas_is_counted_in_wei():
    text = "block_number,timestamp,base_fee_gwei\n1,1735707423,11.189797\n2,1735707435,9.5\n"
    assert [one.value for one in read(text, GAS, 9).samples] == [11_189_797_000, 9_500_000_000]


def test_a_time_in_another_zone_is_the_same_moment():
    text = HOURS.replace("2020-03-11T00:00Z", "2020-03-11T01:00+01:00")
    assert samples(read(text)) == samples(read(HOURS))


def test_a_file_without_its_columns_says_which_it_has():
    error = refusal(HOURS.replace("close", "klose"))
    assert error.code == "replay.csv_column"
    assert error.fields["value"] == ["ts_utc", "open", "high", "low", "klose", "volume"]
    assert refusal(HOURS.replace("ts_utc", "time")).code == "replay.csv_column"
    assert refusal(HOURS, GAS).code == "replay.csv_column"


@pytest.mark.parametrize(
    "text", ["", "\n", "ts_utc,close\n", "ts_utc,close\n2020-03-11T00:00Z,1\n"]
)
def test_a_file_with_too_little_in_it_is_refused(text):
    assert refusal(text).code in {"replay.csv_empty", "replay.csv_column"}


@pytest.mark.parametrize(
    "value", ["nan", "inf", "-inf", "", "0", "-1", "x", "1e40", "1e-30", "1,5", "None"]
)
def test_what_is_no_price_is_refused_with_its_line(value):
    error = refusal(HOURS.replace("8.12345678", f'"{value}"'))
    assert (error.code, error.fields["line"]) == ("replay.csv_value", 3)


def test_a_row_that_ends_early_is_refused():
    assert refusal(HOURS.replace(",8,8.12345678,5", "")).code == "replay.csv_value"


def test_a_row_with_more_fields_than_the_header_is_refused():
    """`1,234.5` without quotes is no dollar."""
    error = refusal("date,eth_usd\n2020-01-01,1\n2020-01-02,1,234.5\n")
    assert (error.code, error.fields["line"]) == ("replay.csv_value", 3)
    assert error.fields["value"] == ["234.5"]


def test_a_low_above_its_close_is_refused():
    assert refusal(HOURS.replace(",9.5,11,", ",11.5,11,")).code == "replay.csv_value"


@pytest.mark.parametrize(
    "time", ["2020-03-11T01:00", "2020-03-11 01:00:00", "yesterday", "", "2020-13-11", "1583884800"]
)
def test_a_time_without_its_zone_or_none_at_all_is_refused(time):
    error = refusal(HOURS.replace("2020-03-11T01:00Z", time))
    assert (error.code, error.fields["line"]) == ("replay.csv_time", 3)


@pytest.mark.parametrize(
    ("time", "word"), [("2020-03-11T00:00Z", "the same time"), ("2020-03-10T23:00Z", "earlier")]
)
def test_rows_that_repeat_or_go_back_are_refused(time, word):
    error = refusal(HOURS.replace("2020-03-11T01:00Z", time))
    assert error.code == "replay.csv_order"
    assert word in error.message


def test_every_gap_is_named():
    text = HOURS + "2020-03-11T05:00Z,9,9,9,9,1\n2020-03-11T06:00Z,9,9,9,9,1\n"
    with pytest.raises(Rejected) as caught:
        read(text).require_whole()
    assert caught.value.code == "replay.csv_gap"
    assert caught.value.fields["value"] == ["2020-03-11T02:00Z to 2020-03-11T05:00Z"]
    assert caught.value.fields["limit"] == 3_600
    read(HOURS).require_whole()


def test_a_stretch_is_cut_out_of_a_file_that_covers_it():
    hour = seconds_of("2020-03-11T01:00Z")
    assert [one.start for one in read(HOURS).between(hour, hour + 7_200).samples] == [
        hour,
        hour + 3_600,
    ]


@pytest.mark.parametrize(
    ("first", "until"),
    [
        ("2020-03-10T12:00Z", "2020-03-11T02:00Z"),  # starts later: the fall may be missed
        ("2020-03-11T00:00Z", "2020-03-11T05:00Z"),  # ends earlier
        ("2021-03-11T00:00Z", "2021-03-12T00:00Z"),
        ("2020-03-11T02:00Z", "2020-03-11T03:00Z"),  # one row
    ],
)
def test_a_file_that_does_not_cover_the_stretch_is_refused(first, until):
    with pytest.raises(Rejected) as caught:
        read(HOURS).between(seconds_of(first), seconds_of(until))
    assert caught.value.code == "replay.csv_span"
    assert caught.value.fields["limit"] == "2020-03-11T00:00Z to 2020-03-11T02:00Z"


def test_a_value_is_the_last_that_was_known_and_never_one_of_the_future():
    series = read("ts_utc,steth_eth\n2022-04-01T05:18:19Z,1.5\n2022-04-01T08:18:00Z,2\n", TOKENS)
    times = [seconds_of(f"2022-04-01T{clock}Z") for clock in ("06:00", "08:00", "09:00")]
    assert as_of(series, times, 86_400) == (1_5000_0000, 1_5000_0000, 2_0000_0000)


@pytest.mark.parametrize("time", ["2022-04-01T05:00Z", "2022-04-03T09:00Z"])
def test_a_value_of_the_future_or_too_old_is_refused(time):
    series = read("ts_utc,steth_eth\n2022-04-01T05:18:19Z,1.5\n2022-04-01T08:18:00Z,2\n", TOKENS)
    with pytest.raises(Rejected) as caught:
        as_of(series, [seconds_of(time)], 86_400)
    assert caught.value.code == "replay.csv_gap"
    assert caught.value.fields["value"] == time
