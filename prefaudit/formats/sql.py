"""SQL that every layout shares: from text and JSON to messages and answers.

Three types run through the statements:

- MSGS: `struct(role varchar, content varchar)[]`, the type of PAIRS.prompt;
- PROMPT: `struct(m MSGS, bad varchar)`, where `bad` is the reason for a skip;
- ANSWER: `struct(context MSGS, text varchar, reasoning varchar, bad varchar)`; `context` holds the turns that stood
  before the answer in the same value, and `text` is null where there is no answer.

Expressions without a lambda are macros; those with one are written out by the functions below, because DuckDB does
not bind a macro's parameters inside nested lambdas. Arguments are best column names: they are repeated.
"""

from __future__ import annotations

import weakref

import duckdb

MSGS = "struct(role varchar, content varchar)[]"
ANSWER = f"struct(context {MSGS}, text varchar, reasoning varchar, bad varchar)"
PROMPT = f"struct(m {MSGS}, bad varchar)"
VOTES = "struct(annotator varchar, vote double)[]"

NOT_TEXT = "an answer is neither text nor messages"
BAD_PROMPT = "the prompt is neither text nor messages"
NO_TURN = "the last turn is not an assistant turn"
NO_ASSISTANT = "the transcript has no Assistant turn"
GAP = "chr(10) || chr(10)"
SPACE = "' ' || chr(10) || chr(9) || chr(13)"

# One message in any of the ways it is written.
_KEYS = [
    "role",
    "from",
    "content",
    "value",
    "text",
    "reasoning_content",
    "reasoning",
    "thinking",
    "tool_calls",
    "function_call",
]
_SHAPE = "[{" + ",".join(f'"{key}":"JSON"' for key in _KEYS) + "}]"

_OPEN = r"<think>|<thinking>|<reasoning>|<thought>|<\|begin_of_thought\|>|\[THINK\]"
_BLOCK = (
    r"<think>.*?</think>|<thinking>.*?</thinking>|<reasoning>.*?</reasoning>|<thought>.*?</thought>"
    r"|<\|begin_of_thought\|>.*?<\|end_of_thought\|>|\[THINK\].*?\[/THINK\]"
)
_TAG = r"</?(?:think|thinking|reasoning|thought)>|<\|(?:begin|end)_of_thought\|>|\[/?THINK\]"
_SOLUTION = r"<\|(?:begin|end)_of_solution\|>"

MACROS = (
    "pf_string(j) as case when json_type(j) = 'VARCHAR' then j->>'$' end",
    "pf_scalar(j) as case when json_type(j) in ('ARRAY', 'OBJECT', 'NULL') then null else j->>'$' end",
    """pf_role(r) as case
        when lower(r) in ('human', 'user', 'prompter') then 'user'
        when lower(r) in ('gpt', 'assistant', 'model', 'bot', 'chatgpt', 'function_call') then 'assistant'
        when lower(r) in ('observation', 'tool', 'function', 'ipython', 'tool_response') then 'tool'
        else lower(r) end""",
    # the tool calls of a turn are part of what it says: they stay in its content as JSON
    """pf_said(content, calls) as case
        when calls is null or json_type(calls) = 'NULL' or calls::varchar = '[]' then coalesce(content, '')
        when coalesce(content, '') = '' then calls::varchar
        else content || chr(10) || calls::varchar end""",
    f"pf_plain(t) as {{'context': null, 'text': t, 'reasoning': null, 'bad': null}}::{ANSWER}",
    f"pf_bad(why) as {{'context': null, 'text': null, 'reasoning': null, 'bad': why}}::{ANSWER}",
    f"""pf_is_transcript(t) as starts_with(t, {GAP} || 'Human:')
        or (starts_with(t, 'Human:') and contains(t, {GAP} || 'Assistant:'))""",
    "pf_is_message(j) as (j->'$.content') is not null or (j->'$.value') is not null",
    # cheap to refuse, so that ordinary answers never meet a pattern
    f"""pf_thinks(t) as (contains(t, '<') or contains(t, '[THINK]')) and (regexp_matches(t, '^\\s*(?:{_OPEN})')
        or (contains(t, '</think>') and not contains(t, '<think>')))""",
    f"""pf_thoughts(t) as case when regexp_matches(t, '^\\s*(?:{_OPEN})') then
        regexp_replace(array_to_string(regexp_extract_all(t, '(?s){_BLOCK}') || regexp_extract_all(
            regexp_replace(t, '(?s){_BLOCK}', '', 'g'), '(?s)(?:{_OPEN}).*$'), chr(10)), '{_TAG}', '', 'g')
        else regexp_extract(t, '(?s)^(.*)</think>', 1) end""",
    # an empty block stays an empty text: that one answer has it and the other none is worth knowing
    f"""pf_thought(t) as trim(pf_thoughts(t), {SPACE})""",
    f"""pf_spoken(t) as trim(regexp_replace(case when regexp_matches(t, '^\\s*(?:{_OPEN})') then
        regexp_replace(regexp_replace(t, '(?s){_BLOCK}', '', 'g'), '(?s)(?:{_OPEN}).*$', '')
        else regexp_extract(t, '(?s)^.*</think>(.*)$', 1) end, '{_SOLUTION}', '', 'g'), {SPACE})""",
)

_ready: weakref.WeakSet[duckdb.DuckDBPyConnection] = weakref.WeakSet()


def prepare(con: duckdb.DuckDBPyConnection) -> None:
    """Define the macros on a connection, once."""
    if con in _ready:
        return
    for macro in MACROS:
        con.execute(f"create or replace temp macro {macro}")
    _ready.add(con)


def literal(text: str) -> str:
    """A text as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def let(value: str, name: str, body: str) -> str:
    """`body` with `name` bound to `value`, so that the value is computed once."""
    return f"(list_transform([{value}], lambda {name}: {body})[1])"


def content(j: str) -> str:
    """SQL: the text of message content (text, list of parts, object with text); null where it is null."""
    part = (
        "case when json_type(part) = 'VARCHAR' then part->>'$' when json_type(part) <> 'OBJECT' then '' "
        "when coalesce(part->>'$.type', '') in ('thinking', 'reasoning') then '' else coalesce(part->>'$.text', "
        "part->>'$.content', '[' || coalesce(part->>'$.type', 'part') || ']') end"
    )
    return let(
        j,
        "said",
        "case json_type(said) when 'VARCHAR' then said->>'$' when 'NULL' then null when 'ARRAY' then array_to_string("
        f"list_transform(json_extract(said, '$[*]'), lambda part: {part}), '') "
        "when 'OBJECT' then coalesce(said->>'$.text', said->>'$.content', said::varchar) else said->>'$' end",
    )


def _thinking(j: str) -> str:
    """SQL: the thinking that travels as parts of message content; null where there is none."""
    return (
        f"case when json_type({j}) = 'ARRAY' then nullif(array_to_string(list_transform(list_filter("
        f"json_extract({j}, '$[*]'), lambda part: (part->>'$.type') in ('thinking', 'reasoning')), "
        "lambda part: coalesce(part->>'$.thinking', part->>'$.reasoning', part->>'$.text', '')), chr(10)), '') end"
    )


def turns(j: str, last: str) -> str:
    """SQL: turns {role, content, reasoning} of a JSON list; bare strings alternate and end with the role `last`."""
    other = "user" if last == "assistant" else "assistant"
    said = content(
        "coalesce(nullif(msg.content, 'null'::json), nullif(msg.\"value\", 'null'::json), msg.\"text\", 'null'::json)"
    )
    strings = let(
        f"""json_transform({j}, '["VARCHAR"]')""",
        "texts",
        f"list_transform(texts, lambda t, i: {{'role': case when (len(texts) - i) % 2 = 0 then '{last}' "
        f"else '{other}' end, 'content': coalesce(t, ''), 'reasoning': null::varchar}})",
    )
    return (
        f"case when json_type({j}) <> 'ARRAY' then null when json_array_length({j}) = 0 then [] "
        f"when json_type({j}->0) = 'VARCHAR' then {strings} "
        f"else list_transform(json_transform({j}, '{_SHAPE}'), lambda msg: {{"
        "'role': pf_role(coalesce(msg.role->>'$', msg.\"from\"->>'$')), "
        f"'content': pf_said({said}, coalesce(msg.tool_calls, msg.function_call)), "
        "'reasoning': coalesce(pf_string(msg.reasoning_content), pf_string(msg.reasoning), pf_string(msg.thinking), "
        f"{_thinking('msg.content')})}}) end"
    )


def bare(m: str) -> str:
    """SQL: turns without their reasoning, as MSGS."""
    return f"list_transform({m}, lambda turn: {{'role': turn.role, 'content': turn.content}})"


def user(text: str) -> str:
    """SQL: one user message, as MSGS."""
    return f"[{{'role': 'user', 'content': {text}}}]"


def transcript(t: str) -> str:
    """SQL: MSGS of a text "\\n\\nHuman: ... \\n\\nAssistant: ..."; an open last turn is dropped, "Hum:" is Human."""
    whole = f"({GAP} || 'Human: ' || ltrim({t}, chr(10)))"
    whole = (
        f"(case when starts_with({t}, {GAP}) then {t} when starts_with({t}, 'Human:') then {GAP} || {t} "
        f"else {whole} end)"
    )
    zipped = (
        "list_zip(regexp_extract_all(whole, '\\n\\n(Human|Hum|Assistant):', 1), "
        "regexp_split_to_array(whole, '\\n\\n(?:Human|Hum|Assistant): ?')[2:])"
    )
    said = (
        f"list_transform({zipped}, lambda z: {{'role': case when z[1] = 'Assistant' then 'assistant' else 'user' end, "
        "'content': z[2]})"
    )
    closed = "case when m[-1].role = 'assistant' and trim(m[-1].content) = '' then m[:-2] else m end"
    return let(let(whole, "whole", said), "m", closed)


def prompt_text(t: str) -> str:
    """SQL: MSGS of a prompt that is a text: a transcript where it reads like one, else one user message."""
    return f"case when pf_is_transcript({t}) then {transcript(t)} else {user(t)} end"


def prompt_json(j: str) -> str:
    """SQL: PROMPT of any JSON value."""
    listed = let(
        turns("list", "user"),
        "m",
        f"{{'m': {bare('m')}, 'bad': case when len(list_filter(m, lambda turn: turn.role is null)) > 0 "
        f"then '{BAD_PROMPT}' end}}::{PROMPT}",
    )
    text = let(f"{j}->>'$'", "t", prompt_text("t"))
    return (
        f"case when {j} is null or {j}::varchar = 'null' then {{'m': []::{MSGS}, 'bad': null}}::{PROMPT} "
        f"when starts_with({j}::varchar, '\"') then {{'m': {text}, 'bad': null}}::{PROMPT} "
        f"when {_is_turns(j)} then {let(_wrapped(j), 'list', listed)} "
        f"else {{'m': []::{MSGS}, 'bad': '{BAD_PROMPT}'}}::{PROMPT} end"
    )


def _is_turns(j: str) -> str:
    return f"(json_type({j}) = 'ARRAY' or (json_type({j}) = 'OBJECT' and pf_is_message({j})))"


def _wrapped(j: str) -> str:
    """A list stays, one message becomes a list of one."""
    return f"(case when starts_with({j}::varchar, '{{') then '[' || {j}::varchar || ']' else {j}::varchar end)"


def last_turn(m: str) -> str:
    """SQL: ANSWER of turns: the last is the answer, those before it its context."""
    nameless = f"({m}[-1].role is null and len({m}) = 1 and {m}[-1].content <> '')"
    return (
        f"case when len({m}) > 0 and ({m}[-1].role = 'assistant' or {nameless}) then "
        f"{{'context': {bare(m + '[:-2]')}, 'text': {m}[-1].content, 'reasoning': {m}[-1].reasoning, 'bad': null}}"
        f"::{ANSWER} else pf_bad('{NO_TURN}') end"
    )


def answer_json(j: str) -> str:
    """SQL: ANSWER of any JSON value; null where it is null."""
    return (
        f"case when {j} is null or {j}::varchar = 'null' then null::{ANSWER} "
        f"when starts_with({j}::varchar, '\"') then pf_plain({j}->>'$') "
        f"when {_is_turns(j)} then "
        f"{let(_wrapped(j), 'list', let(turns('list', 'assistant'), 'm', last_turn('m')))} "
        f"else pf_bad('{NOT_TEXT}') end"
    )


def answer_transcript(t: str) -> str:
    """SQL: ANSWER of a whole transcript: what follows its last "\\n\\nAssistant:"."""
    cut = let(
        f"regexp_extract({t}, '(?s)^(.*)\\n\\nAssistant:(.*)$', ['head', 'tail'])",
        "cut",
        f"{{'context': {transcript('cut.head')}, 'text': case when starts_with(cut.tail, ' ') then cut.tail[2:] "
        f"else cut.tail end, 'reasoning': null, 'bad': null}}::{ANSWER}",
    )
    return (
        f"case when {t} is null then null::{ANSWER} when not contains({t}, {GAP} || 'Assistant:') "
        f"then pf_bad('{NO_ASSISTANT}') else {cut} end"
    )


def context(p: str, c: str) -> str:
    """SQL: MSGS before an answer: a whole conversation replaces the prompt, the turns of a completion follow it."""
    systems = f"list_filter({p}, lambda turn: turn.role = 'system')"
    return (
        f"case when {c} is null or len({c}) = 0 then {p} when {p} is null or len({p}) = 0 then {c} "
        f"when len({p}) >= len({c}) and {p}[-len({c}):] = {c} then {p} "
        f"when coalesce({c}[1].role, '') not in ('user', 'system') then {p} || {c} "
        f"when {c}[1].role = 'user' and {p}[1].role = 'system' then {systems} || {c} else {c} end"
    )


def hash_messages(m: str) -> str:
    """SQL: 64 bits of MD5 of MSGS."""
    return (
        f"md5_number_lower(array_to_string(list_transform({m}, lambda turn: "
        "coalesce(turn.role, '') || chr(31) || coalesce(turn.content, '')), chr(30)))"
    )


def words(expression: str, meaning: dict[str, tuple[str, ...]]) -> str:
    """SQL label of words, matched in lower case: {'a': ('model_a', 'a')}; null for a word that is not there."""
    whens = " ".join(
        f"when lower(trim({expression})) in ({', '.join(map(literal, spellings))}) then {literal(label)}"
        for label, spellings in meaning.items()
    )
    return f"case {whens} end"


def signed(expression: str) -> str:
    """SQL label of a signed number where a negative one means the first answer and zero a tie."""
    return f"case when {expression} < 0 then 'a' when {expression} > 0 then 'b' when {expression} = 0 then 'tie' end"


def compare(a: str, b: str) -> str:
    """SQL label of two scores, higher is better; null where one is missing."""
    return f"case when {a} > {b} then 'a' when {a} < {b} then 'b' when {a} = {b} then 'tie' end"
