"""FilterLogEvents: merged by time, paged with tokens, filtered."""

import json
import time

from gaps_server import refused, server_fixture

aws = server_fixture("--no-waits")


def put(aws, group, stream, lines):
    """Lines are (milliseconds ago, message)."""
    now = int(time.time() * 1000)
    events = sorted(({"timestamp": now - ago, "message": text} for ago, text in lines), key=lambda e: e["timestamp"])
    aws.logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def group(aws, name, *streams):
    aws.logs.create_log_group(logGroupName=name)
    for stream in streams:
        aws.logs.create_log_stream(logGroupName=name, logStreamName=stream)
    return name


def texts(answer):
    return [event["message"] for event in answer["events"]]


def test_streams_are_merged_by_time_and_selected(aws):
    name = group(aws, "/merged", "i-a", "i-b")
    put(aws, name, "i-a", [(4000, "1"), (2000, "3")])
    put(aws, name, "i-b", [(3000, "2"), (1000, "4")])
    whole = aws.logs.filter_log_events(logGroupName=name)
    assert texts(whole) == ["1", "2", "3", "4"]
    assert len({event["eventId"] for event in whole["events"]}) == 4
    assert [e["logStreamName"] for e in whole["events"]] == ["i-a", "i-b", "i-a", "i-b"]
    assert texts(aws.logs.filter_log_events(logGroupName=name, logStreamNamePrefix="i-b")) == ["2", "4"]
    assert texts(aws.logs.filter_log_events(logGroupName=name, logStreamNamePrefix="i-c")) == []
    assert texts(aws.logs.filter_log_events(logGroupName=name, logStreamNames=["i-a"])) == ["1", "3"]
    with refused("ResourceNotFoundException"):
        aws.logs.filter_log_events(logGroupName=name, logStreamNames=["i-c"])
    with refused("InvalidParameterException"):
        aws.logs.filter_log_events(logGroupName=name, logStreamNames=["i-a"], logStreamNamePrefix="i")
    with refused("ResourceNotFoundException"):
        aws.logs.filter_log_events(logGroupName="/none")
    moment = whole["events"][1]["timestamp"]
    within = aws.logs.filter_log_events(logGroupName=name, startTime=moment, endTime=moment)
    assert texts(within) == ["2"], "both ends count"


def test_a_token_goes_on_where_the_page_ended(aws):
    name = group(aws, "/paged", "i-a")
    put(aws, name, "i-a", [(1000 - i, str(i)) for i in range(7)])
    seen, token = [], {}
    while True:
        page = aws.logs.filter_log_events(logGroupName=name, limit=3, **token)
        seen += texts(page)
        if "nextToken" not in page:
            break
        token = {"nextToken": page["nextToken"]}
    assert seen == [str(i) for i in range(7)]
    with refused("InvalidParameterException"):
        aws.logs.filter_log_events(logGroupName=name, nextToken="nonsense")


def test_a_page_may_be_empty_and_not_the_last(aws):
    name = group(aws, "/sparse", "i-a")
    for start in range(0, 11_000, 5_000):
        count = min(5_000, 11_000 - start)
        put(aws, name, "i-a", [(20_000 - start - i, "dull") for i in range(count)])
    put(aws, name, "i-a", [(0, "needle")])
    first = aws.logs.filter_log_events(logGroupName=name, filterPattern="needle")
    assert first["events"] == [] and first["nextToken"]
    second = aws.logs.filter_log_events(logGroupName=name, filterPattern="needle", nextToken=first["nextToken"])
    assert texts(second) == ["needle"] and "nextToken" not in second


def test_json_patterns(aws):
    name = group(aws, "/json", "i-a")
    lines = [json.dumps({"level": level, "n": i}) for i, level in enumerate(["INFO", "WARN", "ERROR"])]
    put(aws, name, "i-a", [(10 - i, text) for i, text in enumerate([*lines, "no json"])])
    pattern = '{ $.level = "WARN" || $.level = "ERROR" }'
    assert texts(aws.logs.filter_log_events(logGroupName=name, filterPattern=pattern)) == lines[1:]
    pattern = '{ $.level != "INFO" && $.n = 2 }'
    assert texts(aws.logs.filter_log_events(logGroupName=name, filterPattern=pattern)) == lines[2:]
