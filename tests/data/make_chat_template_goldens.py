"""Makes text/chat_features.json, text/chat_templates.json and text/chat_shared.json.

Needs transformers (5.23) and jinja2 (3.1.6); no torch. Run: python3 make_chat_template_goldens.py
chat_features.json: small templates, one per feature of Jinja, with what transformers makes of them
(or that it fails). chat_templates.json: templates in the manner of well-known models with random
conversations. chat_shared.json: what the tokenizer_config.json files of ../shared make of random
conversations (without their text), left as it is where that folder is missing. strftime_now is replaced to speak of 26 July 2024, the date GRIN fixes.
"""

import datetime
import json
import os
import random

from transformers.utils import chat_template_utils

DATE = datetime.datetime(2024, 7, 26)


class FixedDate(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return DATE


chat_template_utils.datetime = FixedDate


def render(source, variables):
    """The text, or None where rendering fails."""
    try:
        return chat_template_utils._compile_jinja_template(source).render(**variables)
    except Exception:  # whatever it is: the result is that it fails
        return None


VARIABLES = {
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "  Grüß Gott, \"you\" <b>&'s\n"},
        {"role": "assistant", "content": "東京 🎉", "tool_calls": [{"name": "f", "arguments": {"a": [1, 2.5, None, True]}}]},
        {"role": "user", "content": "And\tnow?"},
    ],
    "tools": None,
    "bos_token": "<s>",
    "eos_token": "</s>",
    "add_generation_prompt": True,
    "number": 7,
    "negative": -3,
    "pi": 3.14159,
    "big": 1e16,
    "tiny": 1e-05,
    "empty": "",
    "word": "straße",
    "text": "one two  three\nfour",
    "items_": {"b": 1, "a": {"x": [1, "two", None]}, "items": "shadowed"},
    "numbers": [3, 1, 2, 3],
    "words": ["pear", "Apple", "fig", "apple"],
    "people": [
        {"name": "Bo", "age": 3, "tags": ["x"]},
        {"name": "al", "age": 5, "tags": []},
        {"name": "Cy", "age": 4},
    ],
    "yes": True,
    "no": False,
    "nothing": None,
}

FEATURES = r"""
plain text
{{ word }} {{ number }} {{ pi }} {{ yes }} {{ nothing }} {{ missing }}|
{{ 'a' 'b' "c" }}{{ "it's" }}{{ 'say "x"' }}
{{ '\n\t\\\'\"\x41\u00e9\U0001F389\q\101' }}
{{ big }} {{ tiny }} {{ 1.0 }} {{ 0.1 + 0.2 }} {{ 1e100 }} {{ 123456789.125 }} {{ 1_000 }} {{ 0x1F }} {{ 0b11 }} {{ 0o17 }} {{ 1.5e3 }}
{{ 1 + 2 * 3 - 4 }} {{ 7 / 2 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ 2 ** 10 }} {{ 2 ** -1 }} {{ 7.5 // 2 }} {{ -7.5 % 2 }}
{{ -number + 2 }} {{ +number }} {{ -2 ** 2 }} {{ not yes }} {{ - pi }} {{ +yes }}
{{ 1 + true }} {{ true + true }} {{ 1 == true }} {{ 1 == 1.0 }} {{ 'a' * 3 }} {{ 3 * 'ab' }} {{ [1] * 2 }} {{ [1] + [2] }} {{ (1,) + (2,) }}
{{ 'a' + 1 }}
{{ [1] + (2,) }}
{{ 1 / 0 }}
{{ 1 // 0 }}
{{ 1 % 0 }}
{{ missing + 'a' }}
{{ 'a' ~ 1 ~ none ~ true ~ missing ~ 1.5 ~ [1, 'x'] }}
{{ 1 < 2 }} {{ 1 < 2 < 3 }} {{ 3 > 2 > 2 }} {{ 'a' < 'b' }} {{ [1, 2] < [1, 3] }} {{ 1 <= 1.0 }} {{ 'é' > 'z' }}
{{ 1 < 'a' }}
{{ none < 1 }}
{{ 'a' in 'abc' }} {{ 'x' not in 'abc' }} {{ 1 in [1, 2] }} {{ 'a' in {'a': 1} }} {{ not 'a' in 'abc' }} {{ 'x' in missing }} {{ '' in 'a' }}
{{ 1 in 'abc' }}
{{ 1 in 5 }}
{{ yes and number }} {{ no or 'x' }} {{ '' or 0 or none }} {{ 1 and '' }}| {{ missing or 'd' }}
{{ 'a' if yes }}{{ 'b' if no }}{{ 'c' if no else 'd' }}{{ 'x' if no else 'y' if no else 'z' }}
{{ [1, 'a', none, true, 1.5, {'k': 'v'}, (1,), (1, 2), (), [], {}] }}
{{ ['it\'s', "q\"", 'both\'"', 'new\nline', 'é🎉', '\x07\x7f\xa0\u200b'] }}
{{ {'a': 1, 'b': {'c': [1]}, 1: 2, none: 3} }} {{ {'a': 1, 'a': 2} }}
{{ {[1]: 2} }}
{{ {'a': {'b': {'c': 1}}}.a.b.c }}{{ {'a': 1}['a'] }}{{ {'a':{}} }}
{{ messages[0].role }}{{ messages[0]['role'] }}{{ messages[-1].content }}{{ messages[0].missing }}|{{ messages[99] }}|
{{ messages[99].role }}
{{ missing.attribute }}
{{ missing['item'] }}
{{ missing() }}
{{ word() }}
{{ word.missing }}|{{ word[0] }}{{ word[-1] }}{{ word[4] }}|{{ word[99] }}|{{ number.x }}|{{ nothing.x }}|{{ nothing['x'] }}|{{ numbers['x'] }}|{{ numbers[1.5] }}
{{ numbers.0 }} {{ people.0.name }} {{ messages.1.role.0 }}
{{ word[1:3] }} {{ word[:-1] }} {{ word[::-1] }} {{ word[::2] }} {{ numbers[1:] }} {{ numbers[-2:] }} {{ numbers[5:] }} {{ (1, 2, 3)[:2] }} {{ numbers[3:0:-1] }} {{ numbers[:] }} {{ numbers[-100:100] }} {{ numbers[::-2] }} {{ word[10:-10:-1] }}
{{ numbers[::0] }}
{{ numbers[:'a'] }}
{% for k, v in items_.items() %}{{ k }}={{ v }};{% endfor %}
{{ items_['items'] }} {{ items_.b }} {{ items_.get('b') }} {{ items_.get('zz') }} {{ items_.get('zz', 5) }} {{ items_.keys() | list }} {{ items_.values() | list }}
{{ items_.pop('b') }}
{{ numbers.append(4) }}
{% set _ = items_.update({'q': 1}) %}
{{ numbers.count(3) }} {{ numbers.index(2) }}
{{ numbers.index(99) }}
{% if number > 5 %}big{% elif number > 2 %}mid{% else %}small{% endif %} {% if no %}a{% elif no %}b{% elif yes %}c{% endif %} {% if missing %}x{% else %}y{% endif %}
{% for x in numbers %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ x }}{{ loop.previtem }}{{ loop.nextitem }}{{ loop.depth }}{{ loop.depth0 }};{% endfor %}
{% for x in numbers %}{{ loop.cycle('odd', 'even') }}{{ loop.changed(x > 1) }} {% endfor %}
{% for x in [] %}a{% else %}none{% endfor %}{% for x in missing %}a{% else %}none{% endfor %}{% for x in numbers if x > 5 %}a{% else %}none{% endfor %}
{% for x in numbers if x > 1 %}{{ x }}{{ loop.index }}/{{ loop.length }}{{ loop.last }} {% endfor %}
{% for x in nothing %}a{% endfor %}
{% for x in 5 %}a{% endfor %}
{% for c in word %}{{ c }}.{% endfor %}{% for k in items_ %}{{ k }}.{% endfor %}
{% for a, b in [[1, 2], (3, 4), 'xy'] %}{{ a }}{{ b }};{% endfor %}
{% for a, b in [[1, 2, 3]] %}{{ a }}{% endfor %}
{% for a, (b, c) in [[1, [2, 3]]] %}{{ a }}{{ b }}{{ c }}{% endfor %}
{% for x in 1, 2, 3 %}{{ x }}{% endfor %}{% for x in (1, 2) %}{{ x }}{% endfor %}
{% for x in range(3) %}{{ x }}{% endfor %}{% for x in range(5, 1, -2) %}{{ x }}{% endfor %}{{ range(2, 4) | list }}
{{ range(1000000) }}
{% for x in range(10) %}{% if x == 2 %}{% continue %}{% endif %}{% if x == 5 %}{% break %}{% endif %}{{ x }}{% endfor %}
{% break %}
{% for x in numbers %}{% for y in words %}{{ loop.index }}{% if y == 'fig' %}{% break %}{% endif %}{% endfor %}{{ loop.index }};{% endfor %}
{% set x = 1 %}{% for i in numbers %}{% set x = x + i %}{{ x }} {% endfor %}{{ x }}
{% set ns = namespace(x=1, found=false) %}{% for i in numbers %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}{{ ns.found }}{{ ns['x'] }}{{ ns.missing }}|
{% set ns = namespace({'a': 1}, b=2) %}{{ ns.a }}{{ ns.b }}
{% set notns = 1 %}{% set notns.x = 2 %}
{% if yes %}{% set z = 5 %}{% endif %}{{ z }}{% if no %}{% set q = 5 %}{% endif %}{{ q }}|
{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set (c, d) = [3, 4] %}{{ c }}{{ d }}{% set t = 1, 2 %}{{ t }}
{% set block %}in {{ word }} block{% endset %}[{{ block }}]
{% set block | upper | trim %}  in {{ word }} block  {% endset %}[{{ block }}]
{% set x = 1 %}{% set y %}{% set x = 2 %}{{ x }}{% endset %}{{ x }}{{ y }}
{% with a = 1, b = number %}{{ a }}{{ b }}{% set c = 9 %}{% endwith %}{{ a }}{{ c }}|
{% with a = 1 %}{% with a = 2, b = a %}{{ a }}{{ b }}{% endwith %}{{ a }}{% endwith %}
{% macro m(a, b=2, c='x' ~ b) %}[{{ a }}{{ b }}{{ c }}]{% endmacro %}{{ m(1) }}{{ m(1, 3) }}{{ m(c=1, a=2) }}{{ m() }}
{% macro m(a) %}{% if a > 0 %}{{ a }}{{ m(a - 1) }}{% endif %}{% endmacro %}{{ m(5) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(b=2) }}
{% macro m() %}{{ x }}{{ messages | length }}{% endmacro %}{% set x = 1 %}{{ m() }}{% set x = 2 %}{{ m() }}
{% macro m() %}{{ loop }}{{ y }}{% endmacro %}{% for y in numbers %}{{ m() }}{% endfor %}|
{% for y in numbers %}{% macro m() %}{{ y }}{% endmacro %}{{ m() | trim }}{% endfor %}
{% macro m(x) %}<{{ caller() }}|{{ x }}>{% endmacro %}{% call m(3) %}body {{ word }}{% endcall %}
{% macro m() %}{{ caller(1, 2) }}{% endmacro %}{% call(a, b) m() %}{{ a }}+{{ b }}{% endcall %}
{{ m(1) }}{% macro m(a) %}{{ a }}{% endmacro %}
{% filter upper %}shout {{ word }}{% endfilter %}{% filter trim | replace('a', 'b') %}  banana {% endfilter %}
{% generation %}gen {{ word }}{% set g = 1 %}{% endgeneration %}{{ g }}|
{% raw %}{{ not }} {% this %}{% endraw %}|{%- raw -%}  {{ x }}  {%- endraw -%}  |
a {# comment {{ x }} #} b {#- strip -#} c
{{ word -}}   x   {{- word }}   {{+ word }}
{{ raise_exception('no ' ~ word) }}
{{ strftime_now('%d %b %Y') }} {{ strftime_now('%Y-%m-%d %H:%M:%S %A %B %j') }}
{% if strftime_now is defined %}yes{% endif %}{{ namespace is defined }}{{ raise_exception is callable }}
{{ dict(a=1, b=2) }} {{ dict([['x', 1]]) }} {{ dict({'q': 1}, z=2) }}
{{ word is defined }} {{ missing is defined }} {{ missing is undefined }} {{ messages[0].x is defined }} {{ messages[0].role is defined }} {{ missing is not defined }}
{{ word is string }} {{ number is string }} {{ items_ is mapping }} {{ numbers is mapping }} {{ numbers is iterable }} {{ word is iterable }} {{ number is iterable }} {{ missing is iterable }} {{ numbers is sequence }} {{ items_ is sequence }} {{ number is sequence }} {{ word is sequence }}
{{ nothing is none }} {{ number is none }} {{ yes is boolean }} {{ number is boolean }} {{ yes is true }} {{ 1 is true }} {{ no is false }} {{ number is number }} {{ yes is number }} {{ pi is float }} {{ number is float }} {{ number is integer }} {{ yes is integer }}
{{ number is odd }} {{ number is even }} {{ number is divisibleby 7 }} {{ number is divisibleby(2) }} {{ 'abc' is lower }} {{ 'ABC' is upper }} {{ 'aB' is upper }} {{ 1 is lower }}
{{ 1 is eq 1 }} {{ 1 is ne 2 }} {{ 1 is lt 2 }} {{ 1 is ge 2 }} {{ 'a' is in 'abc' }} {{ 'a' is in ['a'] }} {{ 'a' is not in ['b'] }} {{ yes is sameas true }} {{ 1 is equalto 1 }} {{ 2 is greaterthan 1 }} {{ 'upper' is filter }} {{ 'nope' is filter }} {{ 'odd' is test }}
{{ number is nosuchtest }}
{{ number | nosuchfilter }}
{{ 'x' if word is string and number is not none else 'y' }} {{ not word is string }} {{ word is string or no }}
{{ '  a b ' | trim }}| {{ 'xxaxx' | trim('x') }} {{ 5 | trim }} {{ '\u3000\xa0a\x1c\u200b' | trim }}|
{{ word | length }} {{ numbers | length }} {{ items_ | length }} {{ '東京🎉' | length }} {{ missing | length }} {{ word | count }}
{{ 5 | length }}
{{ word | upper }} {{ 'ΑΣ ΌΣΟΣ' | lower }} {{ 'hello wORLD-foo (bar' | title }} {{ 'hello wORLD it\'s 3d-x' | title }} {{ word | capitalize }} {{ 'ÉCOLE fINE' | capitalize }} {{ 'ǆ ﬁne' | capitalize }}
{{ 'hello wORLD it\'s 3d-x ǆa'.title() }} {{ word.upper() }} {{ 'ABC'.lower() }} {{ 'abC dEF'.capitalize() }} {{ 'aBc'.swapcase() }}
{{ numbers | join(', ') }} {{ words | join }} {{ people | join('-', attribute='name') }} {{ 'abc' | join('.') }} {{ [1, none, true, 'x', 1.5] | join('|') }} {{ missing | join(',') }}|
{{ 'banana' | replace('a', 'o') }} {{ 'banana' | replace('a', 'o', 2) }} {{ 'abc' | replace('', '-') }} {{ 5 | replace(5, 6) }} {{ 'abc' | replace('', '-', 2) }}
{{ missing | default('d') }} {{ missing | default }}| {{ '' | default('d') }}| {{ '' | default('d', true) }} {{ none | default('d') }} {{ none | default('d', boolean=true) }} {{ missing | d('x') }} {{ messages[0].nope | default(none) }}
{{ numbers | first }} {{ numbers | last }} {{ word | first }} {{ word | last }} {{ [] | first }}| {{ items_ | first }} {{ missing | first }}|
{{ [] | first | upper }}| {{ ([] | first).x }}
{{ 'abc' | list }} {{ items_ | list }} {{ numbers | list }} {{ missing | list }} {{ (1, 2) | list }}
{{ 5 | list }}
{{ words | map('upper') | list }} {{ people | map(attribute='name') | list }} {{ people[:1] | map(attribute='tags.0') | list }} {{ people | map(attribute='tags', default='none') | list }} {{ words | map('replace', 'p', 'q') | join(',') }} {{ numbers | map('string') | join }}
{{ numbers | select('odd') | list }} {{ numbers | reject('odd') | list }} {{ numbers | select('gt', 2) | list }} {{ [0, 1, '', 'a', none] | select | list }} {{ [0, 1] | reject | list }} {{ numbers | select('in', [1, 2]) | list }} {{ numbers | select('==', 3) | list }}
{{ messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | list }} {{ messages | rejectattr('role', 'eq', 'user') | map(attribute='role') | list }} {{ people | selectattr('tags') | map(attribute='name') | list }} {{ people | selectattr('tags', 'defined') | list | length }} {{ messages | selectattr('role', 'in', ['system', 'user']) | list | length }}
{% if numbers | select('gt', 100) %}a generator is true{% endif %}{{ numbers | select('gt', 100) | first }}|
{{ numbers | select('odd') | length }}
{{ numbers | map('string') | tojson }}
{{ '5' | int }} {{ ' 42 ' | int }} {{ 'x' | int }} {{ 'x' | int(9) }} {{ 3.9 | int }} {{ '3.7' | int }} {{ -3.9 | int }} {{ true | int }} {{ none | int }} {{ 'ff' | int(0, 16) }} {{ '+5' | int }} {{ [] | int(3) }}
{{ missing | int }}
{{ '1.5' | float }} {{ 'x' | float }} {{ 2 | float }} {{ 'x' | float(1.5) }} {{ '1e3' | float }}
{{ 5 | string }}{{ none | string }}{{ missing | string }}| {{ [1] | string }} {{ 1.0 | string }}
{{ -5 | abs }} {{ -1.5 | abs }} {{ 2.567 | round }} {{ 2.567 | round(1) }} {{ 2.5 | round }} {{ 3.5 | round }} {{ 2.1 | round(method='ceil') }} {{ 2.19 | round(1, 'floor') }} {{ 7 | round }} {{ -2.5 | round | int }}
{{ numbers | sort }} {{ words | sort }} {{ words | sort(case_sensitive=true) }} {{ numbers | sort(reverse=true) }} {{ people | sort(attribute='name') | map(attribute='name') | list }} {{ words | sort(true) }}
{{ [1, 'a'] | sort }}
{{ numbers | unique | list }} {{ words | unique | list }} {{ numbers | min }} {{ numbers | max }} {{ numbers | sum }} {{ people | sum(attribute='age') }} {{ words | max }} {{ words | min }} {{ [] | max }}|
{{ numbers | reverse | list }} {{ word | reverse }} {{ items_ | dictsort }} {{ {'b': 1, 'A': 2} | dictsort }} {{ {'b': 1, 'A': 2} | dictsort(by='value', reverse=true) }}
{{ numbers | batch(3) | list }} {{ numbers | batch(3, 0) | list }} {{ 'abc' | center(10) }}| {{ 'abc' | center(8) }}| {{ 'abcd' | center(9) }}| {{ text | wordcount }}
{{ items_ | items | list }} {{ missing | items | list }} {% for k, v in items_ | items %}{{ k }}{% endfor %}
{{ 5 | items | list }}
{{ 'a\nb\n\nc' | indent }}| {{ 'a\nb\n\nc' | indent(2, true) }}| {{ 'a\n\nb' | indent('> ', blank=true) }}| {{ 'a\nb\n' | indent(2) }}| {{ '' | indent }}|
{{ '<b>&"\'' | e }} {{ '<b>' | escape }} {{ '<b>' | safe }}
{{ messages[2] | tojson }} {{ messages[1].content | tojson }} {{ 1.0 | tojson }} {{ [none, true, false, 1e16, 1e-7, -0.0] | tojson }} {{ {} | tojson }}{{ [] | tojson }}
{{ messages[2] | tojson(indent=2) }} {{ messages[2] | tojson(indent=4) }} {{ [] | tojson(indent=2) }}{{ {'a': {}} | tojson(indent=1) }}
{{ items_ | tojson(sort_keys=true) }} {{ messages[2] | tojson(ensure_ascii=true) }} {{ items_ | tojson(separators=(',', ':')) }} {{ {1: 2, none: 3, true: 4, 1.5: 6} | tojson }} {{ '\x07\x1f\x7f\u2028/</script>' | tojson }}
{{ missing | tojson }}
{{ [missing] | tojson }}
{{ '  ab '.strip() }}|{{ '  ab '.lstrip() }}|{{ '  ab '.rstrip() }}|{{ 'xaxbx'.strip('x') }} {{ 'abcba'.lstrip('ab') }} {{ 'line\n\n'.rstrip('\n') }}|{{ 'éaé'.strip('é') }}
{{ text.split() }} {{ text.split(' ') }} {{ 'a,b,c'.split(',', 1) }} {{ 'a,b,c'.rsplit(',', 1) }} {{ ''.split() }} {{ ''.split(',') }} {{ ' a  b '.split(none, 1) }} {{ 'a</think>b'.split('</think>')[-1] }} {{ 'a--b'.split('-') }} {{ 'a b c'.split(maxsplit=1) }}
{{ 'abc'.split('') }}
{{ word.startswith('str') }} {{ word.endswith('ße') }} {{ word.startswith(('x', 'st')) }} {{ 'abc'.startswith('b', 1) }} {{ ''.startswith('') }} {{ 'abc'.endswith('b', 0, 2) }}
{{ word.startswith(1) }}
{{ 'banana'.replace('a', 'o') }} {{ 'banana'.replace('a', 'o', 1) }} {{ 'banana'.find('n') }} {{ 'banana'.rfind('n') }} {{ 'banana'.find('z') }} {{ 'banana'.count('a') }} {{ 'ébanana'.index('n') }} {{ 'aaaa'.count('aa') }}
{{ 'banana'.index('z') }}
{{ ', '.join(words) }} {{ '-'.join('abc') }} {{ 'a-b-c'.partition('-') }} {{ 'a-b-c'.rpartition('-') }} {{ 'abc'.partition('x') }} {{ 'prefix-x'.removeprefix('prefix-') }} {{ 'a.txt'.removesuffix('.txt') }}
{{ ', '.join(numbers) }}
{{ 'a\nb\r\nc\n'.splitlines() }} {{ 'a\nb'.splitlines(true) }} {{ '12'.isdigit() }} {{ '²'.isdigit() }} {{ ''.isdigit() }} {{ 'ab'.isalpha() }} {{ 'a1'.isalnum() }} {{ ' \t'.isspace() }} {{ 'AB'.isupper() }} {{ 'ab1'.islower() }} {{ 'é'.islower() }}
{{ 'ab'.ljust(5) }}|{{ 'ab'.rjust(5, '.') }}|{{ '-7'.zfill(4) }}
{{ '%s and %d and %.2f and %5s|%-5s| %05d %%' % ('x', 5, 2.5, 'a', 'b', 42) }} {{ '%s' % 5 }} {{ '%s' | format(word) }} {{ '%s %s' | format(1, none) }} {{ '%r' % 'a' }} {{ '%s' % [1] }}
{{ '%s %s' % 1 }}
{{ '%s' % (1, 2) }}
{{ '{} {} {{}}'.format(1, 'b') }} {{ '{1}{0}'.format('a', 'b') }} {{ '{x}'.format(x=5) }}
{{ word.nosuchmethod() }}
{{ (1, 2) == (1, 2) }} {{ (1, 2) == [1, 2] }} {{ {'a': 1, 'b': 2} == {'b': 2, 'a': 1} }} {{ none == none }} {{ missing == missing2 }} {{ missing == none }} {{ 'a' == 'a' }} {{ 'a' != 1 }}
{{ [1, 2, 3,] }} {{ {'a': 1,} }} {{ (1,) }} {{ 1, 2 }} {{ (1) }}
{{ [[1, 2], [3]] | map('length') | list }} {{ [[3, 1], [2]] | map('sort') | list }} {{ messages | map(attribute='role') | unique | join(',') }}
{{ loop }}|{% for i in [1] %}{{ loop is defined }}{% endfor %}
{{ word | upper | lower | length + 1 }} {{ 'a' ~ 'b' | upper }} {{ ('a' ~ 'b') | upper }} {{ 1 + 2 | string | length }} {{ -1 | abs }} {{ 'x' is string | string }}
{{ messages | length > 2 and messages[0].role == 'system' }} {{ (messages | last).role }} {{ messages[1:] | length }} {{ messages[loop_index | default(0)].role }}
{% if 'tool_calls' in messages[2] and messages[2].tool_calls %}{% for t in messages[2].tool_calls %}{{ t.name }}({{ t.arguments | tojson }}){% endfor %}{% endif %}
{% if messages[0]['content'] is string %}s{% endif %}{% if messages[0].get('content') is not none %}n{% endif %}
{% if tools %}a{% elif tools is not none %}b{% else %}c{% endif %}{% if tools is defined %}d{% endif %}{{ 'u' if not undefined_thing is defined }}
{% set m = messages[1:] %}{% set ns = namespace(last=none) %}{% for x in messages[::-1] %}{% set i = (messages | length - 1) - loop.index0 %}{{ i }}{{ x.role[0] }}{% if x.role == 'user' and ns.last is none %}{% set ns.last = i %}{% endif %}{% endfor %}{{ ns.last }}
{{ 'unclosed
{{ 1 + }}
{{ }}
{% if x %}
{% endif %}
{% for x in %}{% endfor %}
{% for in y %}{% endfor %}
{% nosuchtag %}
{% if yes %}{% endfor %}
{{ a b }}
{{ (1 }}
{{ 1 } }}
{{ 'a' | }}
{{ x is }}
{% set 5 = 1 %}
{% set x.y.z = 1 %}
{{ a.b. }}
{{ a ? b }}
{% for x in numbers: %}{{ x }}{% else: %}{% endfor %}
{{ nothing[1:] }}
{{ tools | selectattr('x') | list }}{{ none | map('upper') | list }}{{ missing is callable }}
{{ 5 | indent }}
{{ dict(missing) }}{{ missing }}
{{ 'a-b c_d, 1.5' | wordcount }} {{ ','.join(missing) }}
{# unclosed
{% raw %} unclosed
{{ f(a=1, 2) }}
{{ not }}
{{ true }}{{ True }}{{ none }}{{ None }}{{ false }}
{{ {'a': 1}.a }}{{ [1, 2][0] }}{{ 'abc'[1] }}{{ 'abc'.upper()[0] }}{{ ('a', 'b')[1] }}{{ {'f': 'x'}['f'].upper() }}
{{ messages|map(attribute="role")|join(",") }}{{messages[0]["role"]}}{{- " x" -}} {{" y"}}
{{ namespace(a=1).a }}{{ '' is none }}{{ 'a' is not none and 'b' }}{{ 5 is not string }}
{% set x = [] %}{% for m in messages %}{% set x = x + [m.role] %}{% endfor %}{{ x }}
{% set ns = namespace(l=[]) %}{% for m in messages %}{% set ns.l = ns.l + [m.role] %}{% endfor %}{{ ns.l }}{{ ns.l | length }}
{{ '' }}{{ ' ' }}{{ '0' or 'x' }}{{ 0 or 'x' }}{{ [] or 'x' }}{{ {} or 'x' }}{{ 0.0 or 'x' }}
{{ {'a': none}.a is none }}{{ {'a': none}.a is defined }}{{ {'a': none}.b is none }}
{{ 9223372036854775807 }} {{ -9223372036854775807 }} {{ 1e400 }} {{ -1e400 }} {{ 5e-324 }} {{ 1.7976931348623157e308 }} {{ 9007199254740993.0 }} {{ 0.0001 }} {{ 0.00001 }} {{ 1e15 }} {{ 123456789012345680.0 }}
{{ x.y if x is defined else 'undef' }}{{ (x | default({})).y }}|{{ x is defined and x.y }}
{{ people | map(attribute='tags.0') | list }}
""".strip("\n").split("\n")

# More than one line, or line ends that matter.
MULTILINE = [
    "a\n{% if yes %}\n  b\n{% endif %}\nc\n",
    "a\n  {% if yes %}  \n  b\n  {% endif %}\t\nc\n\n",
    "{% for x in numbers %}\n  {{ x }}\n{% endfor %}\n",
    "{%- for x in numbers -%}\n  {{ x }}\n{%- endfor -%}\n end",
    "  {%+ if yes %}x{%+ endif +%}\ny",
    "{{ word }}\n\n{{ word }}\n",
    "a  {# c #}\n  {# d #}\n b {#- e -#}\n\n f",
    "x{% if yes %}\n\ny{% endif %} \n z",
    "line\r\nnext\r{% if yes %}\r\n in{% endif %}\r\n",
    "  \t {% set x = 1 %}\n{{ x }}",
    "a {% set x = 1 %} b\n {% set y = 2 %} c",
    "{% if yes %}  {% if yes %}  x  {% endif %}  {% endif %}",
    "{% if yes -%}\n\n x \n\n{%- endif %}\n\ny",
    "\n\n{% if yes %}\n\n{% endif %}\n\n",
    "{{ '\n' }}{{ 'a\nb' }}\n{{- 'c\n' -}}\n d",
    " {{ word }} {% if yes %} {{ word }} {% endif %} ",
    "{%if yes%}a{%else%}b{%endif%}",
    "{%- if yes -%}a{%- else -%}b{%- endif -%}",
    "\u3000{% if yes %}x{% endif %}\n\u00a0{% if yes %}y{% endif %}",
    "a{% raw %}\n {{ x }}\n  {% endraw %}\nb",
    "a\n  {% raw %}\n x\n  {%- endraw %}\nb",
    "{% for m in messages %}\n    {%- if m.role == 'user' %}\n        {{- 'U: ' + m.content }}\n    {%- else %}\n        {{- 'O: ' + m.content | trim }}\n    {%- endif %}\n{%- endfor %}\n",
    "{% macro m(x) %}\n  <{{ x }}>\n{% endmacro %}\n{{ m(1) }}\n{{ m(2) -}}\n",
    "{% generation %}\n  a\n  {% endgeneration %}\nb",
    "{% set t %}\n  block\n{% endset %}\n[{{ t }}]",
    "{# a\nb\n#}\n{{ messages\n[0]\n.role }}",
    "{{ 'a\\\nb' }}",
    "{{ {\n'a': 1,\n'b': [1,\n2]\n} }}",
    "{% set x = 'a' %}\n\n{% set y = 'b' %}\n{{ x }}\n{{ y }}\n",
    "",
    "\n",
    "{{ '{{' }}{{ '}}' }}{{ '{%' }}{# }} #}",
    "{ {x} %} }} #} {",
    "{{'<|im_start|>' + messages[0]['role'] + '\n' + messages[0]['content'] + '<|im_end|>' + '\n'}}",
]


def features():
    return [{"template": t, "text": render(t, VARIABLES)} for t in FEATURES + MULTILINE]


# Templates in the manner of well-known models, written for this test.
CHATML = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content']"
    " + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|im_start|>assistant\n' }}{% endif %}"
)
SMOLLM = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful AI assistant.<|im_end|>\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
LLAMA2 = (
    "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}"
    "{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}"
    "{% set system_message = false %}{% endif %}{% for message in loop_messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}"
    "{% endif %}{% if loop.index0 == 0 and system_message != false %}"
    "{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}"
    "{% else %}{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}"
    "{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}"
    "{% elif message['role'] == 'assistant' %}{{ ' ' + content.strip() + ' ' + eos_token }}"
    "{% endif %}{% endfor %}"
)
LLAMA3 = (
    "{% set loop_messages = messages %}{% for message in loop_messages %}"
    "{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'"
    "+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}"
    "{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}"
    "{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
LLAMA32 = """{{- bos_token }}
{%- if custom_tools is defined %}
    {%- set tools = custom_tools %}
{%- endif %}
{%- if not tools_in_user_message is defined %}
    {%- set tools_in_user_message = true %}
{%- endif %}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now("%d %b %Y") %}
    {%- else %}
        {%- set date_string = "26 Jul 2024" %}
    {%- endif %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}

{#- The system message has a place of its own. #}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}

{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{%- if tools is not none %}
    {{- "Environment: ipython\\n" }}
{%- endif %}
{{- "Cutting Knowledge Date: December 2023\\n" }}
{{- "Today Date: " + date_string + "\\n\\n" }}
{%- if tools is not none and not tools_in_user_message %}
    {%- for t in tools %}
        {{- t | tojson(indent=4) }}
        {{- "\\n\\n" }}
    {%- endfor %}
{%- endif %}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}
            {{- raise_exception("This model only supports single tool-calls at once!") }}
        {%- endif %}
    {%- elif message.role == "tool" or message.role == "ipython" %}
        {{- "<|start_header_id|>ipython<|end_header_id|>\\n\\n" }}
        {%- if message.content is mapping or message.content is iterable %}
            {{- message.content | tojson }}
        {%- else %}
            {{- message.content }}
        {%- endif %}
        {{- "<|eot_id|>" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""
ZEPHYR = (
    "{% for message in messages %}\n{% if message['role'] == 'user' %}\n"
    "{{ '<|user|>\n' + message['content'] + eos_token }}\n"
    "{% elif message['role'] == 'system' %}\n"
    "{{ '<|system|>\n' + message['content'] + eos_token }}\n"
    "{% elif message['role'] == 'assistant' %}\n"
    "{{ '<|assistant|>\n'  + message['content'] + eos_token }}\n{% endif %}\n"
    "{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n{% endfor %}"
)
MISTRAL1 = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}"
    "{% endif %}{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}"
    "{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token + ' ' }}"
    "{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}"
    "{% endif %}{% endfor %}"
)
MISTRAL2 = """{%- if messages[0]["role"] == "system" %}
    {%- set system_message = messages[0]["content"] %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set loop_messages = messages %}
{%- endif %}

{{- bos_token }}
{%- for message in loop_messages %}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
        {{- raise_exception('roles must alternate') }}
    {%- endif %}
    {%- if message["role"] == "user" %}
        {%- if loop.first and system_message is defined %}
            {{- " [INST] " + system_message + "\\n\\n" + message["content"] + " [/INST]" }}
        {%- else %}
            {{- " [INST] " + message["content"] + " [/INST]" }}
        {%- endif %}
    {%- elif message["role"] == "assistant" %}
        {{- " " + message["content"] + eos_token}}
    {%- else %}
        {{- raise_exception("Only user and assistant roles are supported") }}
    {%- endif %}
{%- endfor %}
"""
MISTRAL3 = """{%- if messages[0]["role"] == "system" %}
    {%- set system_message = messages[0]["content"] %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set loop_messages = messages %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}
{%- set user_messages = loop_messages | selectattr("role", "equalto", "user") | list %}

{#- Roles alternate, but for tool calls and their results. #}
{%- set ns = namespace() %}
{%- set ns.index = 0 %}
{%- for message in loop_messages %}
    {%- if not (message.role == "tool" or message.role == "tool_results" or (message.tool_calls is defined and message.tool_calls is not none)) %}
        {%- if (message["role"] == "user") != (ns.index % 2 == 0) %}
            {{- raise_exception("roles must alternate") }}
        {%- endif %}
        {%- set ns.index = ns.index + 1 %}
    {%- endif %}
{%- endfor %}

{{- bos_token }}
{%- for message in loop_messages %}
    {%- if message["role"] == "user" %}
        {%- if tools is not none and (message == user_messages[-1]) %}
            {{- "[AVAILABLE_TOOLS] " + (tools | tojson) + "[/AVAILABLE_TOOLS]" }}
        {%- endif %}
        {%- if loop.last and system_message is defined %}
            {{- "[INST] " + system_message + "\\n\\n" + message["content"] + "[/INST]" }}
        {%- else %}
            {{- "[INST] " + message["content"] + "[/INST]" }}
        {%- endif %}
    {%- elif message["role"] == "assistant" %}
        {{- " " + message["content"]|trim + eos_token}}
    {%- else %}
        {{- raise_exception("Only user and assistant roles are supported") }}
    {%- endif %}
{%- endfor %}
"""
QWEN25 = """{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- for tool in tools %}
        {{- "\\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- "<|im_end|>\\n" }}
{%- else %}
    {%- if messages[0]['role'] == 'system' %}
        {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}
    {%- else %}
        {{- '<|im_start|>system\\nYou are Qwen.<|im_end|>\\n' }}
    {%- endif %}
{%- endif %}
{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) or (message.role == "assistant" and not message.tool_calls) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "tool" %}
        {%- if (loop.index0 == 0) or (messages[loop.index0 - 1].role != "tool") %}
            {{- '<|im_start|>user' }}
        {%- endif %}
        {{- '\\n<tool_response>\\n' }}
        {{- message.content }}
        {{- '\\n</tool_response>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}
            {{- '<|im_end|>\\n' }}
        {%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""
QWEN3 = """{%- if messages[0].role == 'system' %}
    {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
{%- endif %}
{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step_tool and message.role == "user" and message.content is string and not(message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}
        {%- set ns.multi_step_tool = false %}
        {%- set ns.last_query_index = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.content is string %}
        {%- set content = message.content %}
    {%- else %}
        {%- set content = '' %}
    {%- endif %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {%- set reasoning_content = '' %}
        {%- if message.reasoning_content is string %}
            {%- set reasoning_content = message.reasoning_content %}
        {%- else %}
            {%- if '</think>' in content %}
                {%- set reasoning_content = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
                {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
            {%- endif %}
        {%- endif %}
        {%- if loop.index0 > ns.last_query_index %}
            {%- if loop.last or (not loop.last and reasoning_content) %}
                {{- '<|im_start|>' + message.role + '\\n<think>\\n' + reasoning_content.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}
            {%- else %}
                {{- '<|im_start|>' + message.role + '\\n' + content }}
            {%- endif %}
        {%- else %}
            {{- '<|im_start|>' + message.role + '\\n' + content }}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}"""
GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}"
    "{% endif %}{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}"
    "{% set role = message['role'] %}{% endif %}{{ '<start_of_turn>' + role + '\n'"
    " + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}"
)
GEMMA3 = """{{ bos_token }}
{%- if messages[0]['role'] == 'system' -%}
    {%- if messages[0]['content'] is string -%}
        {%- set first_user_prefix = messages[0]['content'] + '

' -%}
    {%- else -%}
        {%- set first_user_prefix = messages[0]['content'][0]['text'] + '

' -%}
    {%- endif -%}
    {%- set loop_messages = messages[1:] -%}
{%- else -%}
    {%- set first_user_prefix = "" -%}
    {%- set loop_messages = messages -%}
{%- endif -%}
{%- for message in loop_messages -%}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
        {{ raise_exception("roles must alternate") }}
    {%- endif -%}
    {%- if (message['role'] == 'assistant') -%}
        {%- set role = "model" -%}
    {%- else -%}
        {%- set role = message['role'] -%}
    {%- endif -%}
    {{ '<start_of_turn>' + role + '
' + (first_user_prefix if loop.first else "") }}
    {%- if message['content'] is string -%}
        {{ message['content'] | trim }}
    {%- elif message['content'] is iterable -%}
        {%- for item in message['content'] -%}
            {{ item['text'] | trim }}
        {%- endfor -%}
    {%- else -%}
        {{ raise_exception("Invalid content type") }}
    {%- endif -%}
    {{ '<end_of_turn>
' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{'<start_of_turn>model
'}}
{%- endif -%}
"""
PHI3 = (
    "{% for message in messages %}{% if message['role'] == 'system' %}"
    "{{'<|system|>\n' + message['content'] + '<|end|>\n'}}{% elif message['role'] == 'user' %}"
    "{{'<|user|>\n' + message['content'] + '<|end|>\n'}}{% elif message['role'] == 'assistant' %}"
    "{{'<|assistant|>\n' + message['content'] + '<|end|>\n'}}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}"
)

# The turns of Tulu, which OLMo-2 has.
OLMO2 = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'system' %}"
    "{{ '<|system|>\n' + message['content'] + '\n' }}{% elif message['role'] == 'user' %}"
    "{{ '<|user|>\n' + message['content'] + '\n' }}{% elif message['role'] == 'assistant' %}"
    "{{ '<|assistant|>\n' + message['content'] + eos_token }}"
    "{% if not loop.last %}{{ '\n' }}{% endif %}{% endif %}"
    "{% if loop.last and add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}{% endfor %}"
)
STABLELM = (
    "{% for message in messages %}{% if message['role'] in ['user', 'system', 'assistant'] %}"
    "{{ '<|' ~ message['role'] ~ '|>\n' + message['content'] + eos_token }}"
    "{% if not (loop.last and message['role'] == 'assistant') %}{{ '\n' }}{% endif %}{% endif %}"
    "{% if loop.last and add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}{% endfor %}"
)
FALCON = (
    "{% if messages[0]['role'] == 'system' %}{% set rest = messages[1:] %}"
    "{% set system = messages[0]['content'] | trim %}{% else %}{% set rest = messages %}"
    "{% set system = '' %}{% endif %}{{ system }}{% for message in rest %}"
    "{% set content = message['content'] | trim | replace('\r\n', '\n') | replace('\n\n', '\n') %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}"
    "{{ ('' if loop.first and not system else '\n\n') ~ message['role'] | capitalize ~ ': ' ~ content }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '\n\nAssistant:' }}{% endif %}"
)
PHI35 = (
    "{% for message in messages %}{% if message['role'] == 'system' and message['content'] %}"
    "{{'<|system|>\n' + message['content'] + '<|end|>\n'}}{% elif message['role'] == 'user' %}"
    "{{'<|user|>\n' + message['content'] + '<|end|>\n'}}{% elif message['role'] == 'assistant' %}"
    "{{'<|assistant|>\n' + message['content'] + '<|end|>\n'}}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}"
)
SMOLLM3 = """{#- thinking or not, and the day -#}
{%- if enable_thinking is not defined -%}
{%- set enable_thinking = true -%}
{%- endif -%}
{%- if messages[0].role == "system" -%}
    {%- set system_message = messages[0].content -%}
    {%- if "/no_think" in system_message -%}
        {%- set mode = "/no_think" -%}
    {%- elif "/think" in system_message -%}
        {%- set mode = "/think" -%}
    {%- else -%}
        {%- set mode = "/think" if enable_thinking else "/no_think" -%}
    {%- endif -%}
    {%- set instructions = system_message.replace("/no_think", "").replace("/think", "").rstrip() -%}
{%- else -%}
    {%- set mode = "/think" if enable_thinking else "/no_think" -%}
{%- endif -%}
{{- "<|im_start|>system\\n" -}}
{%- if instructions and "/system_override" in instructions -%}
    {{- instructions.replace("/system_override", "").rstrip() -}}
    {{- "<|im_end|>\\n" -}}
{%- else -%}
    {{- "## Metadata\\n\\n" -}}
    {{- "Today Date: " ~ strftime_now("%d %B %Y") ~ "\\n" -}}
    {{- "Reasoning Mode: " + mode + "\\n\\n" -}}
    {{- "## Custom Instructions\\n\\n" -}}
    {%- if instructions -%}
        {{- instructions + "\\n\\n" -}}
    {%- elif mode == "/think" -%}
        {{- "Think first, then answer.\\n\\n" -}}
    {%- endif -%}
    {{- "<|im_end|>\\n" -}}
{%- endif -%}
{%- for message in messages -%}
    {%- set content = message.content if message.content is string else "" -%}
    {%- if message.role == "user" -%}
        {{ "<|im_start|>" + message.role + "\\n" + content + "<|im_end|>\\n" }}
    {%- elif message.role == "assistant" -%}
        {%- generation -%}
        {%- if mode == "/think" -%}
            {{ "<|im_start|>assistant\\n" + content.lstrip("\\n") + "<|im_end|>\\n" }}
        {%- else -%}
            {{ "<|im_start|>assistant\\n" + "<think>\\n\\n</think>\\n" + content.lstrip("\\n") + "<|im_end|>\\n" }}
        {%- endif -%}
        {%- endgeneration -%}
    {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{- "<|im_start|>assistant\\n" -}}
    {%- if mode == "/no_think" -%}
        {{- "<think>\\n\\n</think>\\n" -}}
    {%- endif -%}
{%- endif -%}
"""

# family, template, tokenizer_config besides the template
MODELS = [
    ("ChatML", CHATML, {"eos_token": "<|im_end|>"}),
    ("ChatML", SMOLLM, {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>"}),
    ("Llama-2", LLAMA2, {"bos_token": {"content": "<s>", "lstrip": False}, "eos_token": {"content": "</s>"}}),
    ("Llama-3", LLAMA3, {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"}),
    ("Llama-3", LLAMA32, {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"}),
    ("Zephyr", ZEPHYR, {"bos_token": "<s>", "eos_token": "</s>"}),
    ("Mistral", MISTRAL1, {"bos_token": "<s>", "eos_token": "</s>"}),
    ("Mistral", MISTRAL2, {"bos_token": "<s>", "eos_token": "</s>"}),
    ("Mistral", MISTRAL3, {"bos_token": "<s>", "eos_token": "</s>"}),
    ("Qwen", QWEN25, {"bos_token": None, "eos_token": "<|im_end|>"}),
    ("Qwen", QWEN3, {"bos_token": None, "eos_token": "<|im_end|>"}),
    ("Gemma", GEMMA, {"bos_token": "<bos>", "eos_token": "<eos>"}),
    ("Gemma", GEMMA3, {"bos_token": "<bos>", "eos_token": "<eos>"}),
    ("Phi-3", PHI3, {"bos_token": "<s>", "eos_token": "<|endoftext|>"}),
    ("Phi-3", PHI35, {"bos_token": "<s>", "eos_token": "<|endoftext|>"}),
    ("Zephyr", OLMO2, {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>"}),
    ("custom", STABLELM, {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>"}),
    ("custom", FALCON, {"bos_token": None, "eos_token": "<|endoftext|>"}),
    ("ChatML", SMOLLM3, {"bos_token": None, "eos_token": "<|im_end|>"}),
    ("Mistral", MISTRAL1, {"eos_token": "</s>"}),  # bos_token is not defined
    ("ChatML", CHATML, {"bos_token": None}),
]

PIECES = [
    "Hello", " world", "  ", "\n", "\n\n", "\t", "é", "東京", "🎉", "👩‍👩‍👧", "ß", "İ", "\u3000", "\u00a0",
    "\u200b", "{{ x }}", "{% if %}", "<|im_end|>", "</s>", "[INST]", "<think>\nhm\n</think>\n", "\"q\"",
    "it's", "\\n", "<b>&", "1.5", "a\u0301", "\x07", "",
]


def conversation(generator):
    """Mostly well-formed: a system prompt or none, then alternating turns."""
    messages = []
    text = lambda: "".join(generator.choices(PIECES, k=generator.randrange(6)))
    if generator.random() < 0.4:
        messages.append({"role": "system", "content": text()})
    for turn in range(generator.randrange(1, 6)):
        messages.append({"role": ["user", "assistant"][turn % 2], "content": text()})
    if generator.random() < 0.1:
        generator.shuffle(messages)
    return messages


def special_tokens(config):
    names = ["bos_token", "eos_token", "unk_token", "pad_token"]
    tokens = {name: config[name] for name in names if config.get(name) is not None}
    return {k: v["content"] if isinstance(v, dict) else v for k, v in tokens.items()}


def conversations(generator, template, config):
    cases = []
    for _ in range(12):
        messages = conversation(generator)
        prompt = generator.random() < 0.5
        variables = {"messages": messages, "tools": None, "documents": None}
        variables |= {"add_generation_prompt": prompt, **special_tokens(config)}
        case = {"messages": messages, "add_generation_prompt": prompt}
        cases.append(case | {"text": render(template, variables)})
    return cases


def models():
    generator = random.Random(20240726)
    result = []
    for family, template, config in MODELS:
        cases = conversations(generator, template, config)
        config = {"chat_template": template, **config}
        result.append({"family": family, "config": config, "cases": cases})
    return result


SHARED = [("smollm2", "ChatML"), ("llama3", "Llama-3"), ("qwen2.5", "Qwen")]


def shared(folder):
    generator = random.Random(3)
    result = []
    for name, family in SHARED:
        path = f"tokenizers/{name}/tokenizer_config.json"
        with open(os.path.join(folder, path), encoding="utf-8") as file:
            config = json.load(file)
        cases = conversations(generator, config["chat_template"], config)
        result.append({"family": family, "file": path, "cases": cases})
    return result


def write(name, value):
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "text")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, indent=1)
        file.write("\n")


if __name__ == "__main__":
    write("chat_features.json", {"variables": VARIABLES, "cases": features()})
    write("chat_templates.json", models())
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../shared")
    if os.path.isdir(folder):
        write("chat_shared.json", shared(folder))
