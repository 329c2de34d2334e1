# SPDX-License-Identifier: Apache-2.0
"""Selectors of streams, and what the real Loki makes of them: a test asks it about each."""

TAKEN = (
    '{app="a"}',
    ' { app = "a" , b!="c",e=~`f"`, g!~"\\"" } ',
    '{app="a"\n,\nb="c"}',
    '{app!=""}',
    '{app!~".*"}',
    r'{app="\x41\101\u00e9\U0001F600\n"}',
    "{app=`a\nb`}",
    *(
        f"{{app=~`{pattern}`}}"
        for pattern in (
            *(r".+", r"a{1000}", r"(a{10}){100}", r"a{,2}", r"a{2}?b", r"{", r"a}", r"a]", r"a|b"),
            *(r"\d\pL\p{Greek}[\W\pN]", r"[[:alpha:]]+", r"[]a]", r"[^]a]", r"[\d-z]", r"[a-]"),
            *(r"\Qa.b\E", r"\Q(", r"\bfoo", r"\x{41}", r"\07", r"\_\-\t", r"[\x41-\x5a\n]"),
            *(r"(?)a", r"(?i)a", r"(?-s)a", r"(?i:a)", r"(?P<n>a)(?<m>b)", r"(a|b*)c", "é", r"^a$"),
        )
    ),
)
"""Loki starts with them."""

REFUSED = (
    "{}",
    "{a='b'}",
    '{a="b" c="d"}',
    '{a="b",}',
    '{a=="b"}',
    '{a="b"} x',
    '{app!="a"}',
    '{app=""}',
    '{app=~""}',
    '{app!~"a"}',
    '{app!="a", b=~".*"}',
    r'{app=~"\d"}',
    r'{app="\q"}',
    r"""{app="\'"}""",
    *(
        f"{{app=~`{pattern}`}}"
        for pattern in (
            *(r".*", r"a|", r"a*", r"a??", r"(?i)", r"^$", r"\z", r"\A|x", r"\B", r"()", r"a{0,3}"),
            *(r"(?=a)b", r"(?>a)", r"(?#c)a", r"(?x)a", r"(?P=n)", r"(a", r"a)", r"[a"),
            *(r"[]", r"[z-a]", r"[a-\d]", r"[[:foo:]]", r"*a", r"|*", r"a**", r"a++", r"a?*"),
            *(r"a{1001}", r"a{2,1}", r"a{3}{2}", r"(a{101}){10}", r"\1(a)", r"\8", r"\C", r"\Z"),
            *("\\é", "a\\", r"[\é]", r"\x{110000}", "(?i)*"),
        )
    ),
)
"""With one of these it ends before it starts."""
