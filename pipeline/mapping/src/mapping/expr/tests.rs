use std::borrow::Cow;

use proptest::prelude::*;

use super::*;
use crate::value::json;

/// What an expression gives for a content: `None` for null or no output.
fn eval(text: &str, payload: &Value<'_>) -> Result<Option<Value<'static>>, Failed> {
    run(&Expr::compile(text).unwrap(), payload)
}

fn run(expr: &Expr, payload: &Value<'_>) -> Result<Option<Value<'static>>, Failed> {
    let scope = Scope::of_payload(payload, None);
    expr.eval(&scope).map(|value| value.map(Value::into_owned))
}

#[test]
fn the_common_forms_are_direct() {
    for text in [
        ".",
        ".a",
        ".a.b.c",
        ".a[0].b",
        ".a[-1]",
        ".[\"odd key\"]",
        ".\"$x\"",
        ".a?",
        ".a?.b?",
        "\"text\"",
        "\"a\\(.b)\\n\"",
        "12",
        "null",
        "true",
        ".a // .b // \"x\"",
        ".a == 1",
        ".a != \"x\" and .b == null",
        ".a | length",
        ".a.b | not",
        "$event.time",
        "$record.headers.x",
        ".a or .b",
        "[.a[]?]",
        "[.a[] | {x, y: (.z // .w)}]",
        ".a | map(.b)",
        "if .a then .b | length else null end",
    ] {
        assert!(Expr::compile(text).unwrap().is_direct(), "{text}");
    }
    for text in [
        "[.a[].b]",
        ".a | map(.b + 1)",
        ".a + 1",
        ".a[1:]",
        "{(.a): .b}",
        "1.5",
        ".a > 2",
    ] {
        assert!(Expr::compile(text).unwrap().is_direct(), "{text}");
    }
    for text in [
        ".a[]",
        ".a, .b",
        "range(3)",
        "..",
        "first(.a[])",
        "def f: 1; f",
    ] {
        assert!(!Expr::compile(text).unwrap().is_direct(), "{text}");
    }
}

#[test]
fn expressions_compute() {
    let order = json!({"total": 27.5, "items": [{"p": 2, "q": 3}, {"p": 1.5, "q": 2}], "tags": "a, b", "id": 9_007_199_254_740_993_i64,
                       "big": 18_446_744_073_709_551_615_u64, "n": "12.50", "inner": "{\"x\":[1]}"});
    for (text, wanted) in [
        ("[.items[] | .p * .q] | add", json!(9.0)),
        (
            ".items | map({price: .p})",
            json!([{"price": 2}, {"price": 1.5}]),
        ),
        (".tags | split(\", \")", json!(["a", "b"])),
        (
            "\"\\(.id)/\\(.big)/\\(.total)/\\(.items[1].p)\"",
            json!("9007199254740993/18446744073709551615/27.5/1.5"),
        ),
        (".id", json!(9_007_199_254_740_993_i64)),
        (".id | tostring", json!("9007199254740993")),
        (".big | .", json!(18_446_744_073_709_551_615_u64)),
        (".n | tonumber", json!(12.5)),
        (".inner | fromjson | .x[0]", json!(1)),
        ("reduce .items[] as $i (0; . + $i.q)", json!(5)),
        (".total += 1 | .total", json!(28.5)),
        ("def f(x): x * 2; f(.total)", json!(55.0)),
        (".items | first | .p", json!(2)),
        (
            "(.tags | ascii_upcase | gsub(\"[^A-Z]\"; \"\"))",
            json!("AB"),
        ),
        (".items | length > 1", json!(true)),
        ("\"2026-01-02T03:04:05Z\" | fromdate", json!(1_767_323_045)),
        ("[.items[].p] | max", json!(2)),
        ("try error(\"x\") catch \"caught\"", json!("caught")),
        ("\"ab\" * 2", json!("abab")),
        ("[limit(1; .items[])] | length", json!(1)),
    ] {
        assert_eq!(eval(text, &order), Ok(Some(wanted)), "{text}");
    }
    assert_eq!(eval(".nothing", &order), Ok(None));
    assert_eq!(eval("empty", &order), Ok(None));
    assert!(eval(".total.x", &order).is_err());
    assert!(eval(".items[]", &order).is_err(), "several outputs");
    assert!(eval("1 / 0", &order).is_err());
    assert!(eval("error(.tags)", &order).is_err());
}

#[test]
fn expressions_see_nothing_but_the_event_and_always_end() {
    for text in [
        "env",
        "$ENV",
        "now",
        "input",
        "[inputs]",
        "halt",
        "halt_error",
        "debug",
        "stderr",
        "localtime",
        "def f: f; f",
        "def f: 1 + f; f",
        "def f(g): def h: f(g); h; f(1)",
        "__step",
        "$__loc__",
        "input_filename",
        "import \"x\" as x; 1",
        "include \"x\"; 1",
        "getpath(now)",
        "\"\\(env)\"",
        "{(env): 1}",
        ".[now]",
        "try env catch 1",
        "if env then 1 else 2 end",
        "@base64 \"\\(now)\"",
    ] {
        assert!(Expr::compile(text).is_err(), "{text}");
    }
    let items: Vec<u32> = (0..3_000).collect();
    let payload =
        json!({"a": items, "n": 1_000_000_000_000_i64, "s": "x", "deep": "[".repeat(100_000)});
    for text in [
        "[.a[] as $x | .a[] as $y | .a[] as $z | 1] | length",
        "[.a[] | . as $x | $x] | map([.]) | map(.[0]) | [.[] as $x | .[] as $y | 1] | length",
        "[.a[] + .a[] + .a[]] | length",
        "[{a: .a[], b: .a[], c: .a[]}] | length",
        "[\"\\(.a[]) \\(.a[])\"] | length",
        ".a | map(. as $x | [.] | map(1)) | map(map(1)) | [.[][] as $x | .[][] | 1]",
        "try [.a[] as $x | .a[] as $y | .a[] as $z | 1] catch 1",
        "[.a[] as $x | .a[] as $y | .a[] as $z | 1] // 1",
        "[.a[] as $x | .a[] as $y | empty]",
        "[.a[] | $record | tojson] | [.[] as $x | .[] as $y | \"\\(.)\"]",
        ".deep as $d | [.a[] | \"\\($d)\"]",
        ".s * .n",
        "reduce .a[] as $x (\"x\"; . + .)",
        "reduce .a[] as $x (2; . * .)",
        "reduce .a[] as $x ([1]; . + .)",
        "reduce .a[] as $x (\"x\"; . += .)",
        ".deep | fromjson",
        ".deep | tonumber",
        ".deep | [scan(\"(.*)*x|.\")] | length",
        "[repeat(.)]",
        "[while(true; .)]",
        "until(false; .)",
        "[recurse(.)]",
        "[range(0; 1e18; 1)]",
        "map(repeat(1))",
        "reduce repeat(1) as $x (0; 1)",
        "[.a, .a, .a] | [combinations] | length",
        ".a[1e9] = 1",
        ".s | implode",
        "nan",
        "infinite",
    ] {
        assert!(eval(text, &payload).is_err(), "{text}");
    }
}

#[test]
fn errors_of_expressions_say_the_way_out() {
    for (text, problem, help) in [
        (
            "Order-Placed",
            "there is no filter `Order`; there is no filter `Placed`",
            Some("'\"Order\"'"),
        ),
        (
            "$foo",
            "there is no variable `$foo`",
            Some("`$event` and `$record`"),
        ),
        (
            ".a |",
            "expected a value, but the expression ends after character 4",
            None,
        ),
        (
            ".a + (.b",
            "expected `)`, but the expression ends after character 8",
            Some("is never closed"),
        ),
        (
            "\"a",
            "expected a closing `\"`, but the expression ends after character 2",
            None,
        ),
        ("\"a\\", "but the expression ends after character 3", None),
        (
            "\"a\\(.b |)c\"",
            "expected a value, but the part of the text in `\\(…)` ends",
            None,
        ),
        (
            ".a – .b",
            "the `–` at character 4 means nothing",
            Some("minus"),
        ),
        ("", "the expression is empty", None),
        ("now", "`now` is not allowed", None),
    ] {
        let refused = Expr::compile(text).unwrap_err();
        assert!(refused.problem.contains(problem), "{text}: {refused:?}");
        if let Some(help) = help {
            assert!(
                refused.help.as_deref().is_some_and(|h| h.contains(help)),
                "{text}: {refused:?}"
            );
        }
    }
    let nested = format!("{}1{}", "(".repeat(1_000), ")".repeat(1_000));
    assert!(Expr::compile(&nested).is_err());
}

#[test]
fn what_jq_users_expect() {
    for (text, input, wanted) in [
        // null counts as an empty text
        (
            "[.first, .last] | join(\" \")",
            json!({"first": "Bo", "last": null}),
            json!("Bo "),
        ),
        // letters are letters in every language
        (
            ".name | gsub(\"\\\\W\"; \"\")",
            json!({"name": "Jörg Åberg-Łuk"}),
            json!("JörgÅbergŁuk"),
        ),
        (
            ".name | test(\"jÖRG\"; \"i\")",
            json!({"name": "Jörg"}),
            json!(true),
        ),
        (
            ".name | test(\"^[[:alpha:]]+$\")",
            json!({"name": "Łuk"}),
            json!(true),
        ),
        // a group that did not match keeps its place
        (
            "[.tel | match(\"(\\\\+[0-9]+)? ?([0-9]+)\").captures[].string]",
            json!({"tel": "0301"}),
            json!([null, "0301"]),
        ),
        // nothing to iterate over, so no output
        (
            "(.cart.lines? | map(.sku)) // \"none\"",
            json!({"cart": "c-9"}),
            json!("none"),
        ),
        (
            "{a: (.cart.lines? | map(.sku)), b: 1} // \"none\"",
            json!({"cart": "c-9"}),
            json!("none"),
        ),
        // an assignment creates what is missing on its path
        (".a.b[1] = 1", json!(null), json!({"a": {"b": [null, 1]}})),
        // `//` binds more weakly than `=`
        ("(.a = .b // 3) | .a", json!({"b": false}), json!(false)),
        (
            "[1, \"a\\\"b\", null] | @csv",
            json!(null),
            json!("1,\"a\"\"b\","),
        ),
        ("2 | IN(1, 2)", json!(null), json!(true)),
        ("66 | ascii", json!(null), json!("B")),
        ("\"xyx\" | trimstr(\"x\")", json!(null), json!("y")),
    ] {
        assert_eq!(eval(text, &input), Ok(Some(wanted)), "{text}");
    }
    assert_eq!(eval(".note[0:80]", &json!({})), Ok(None));
}

#[test]
fn what_is_used_up_is_used_up_for_the_record() {
    let payload = json!({"a": [1, 2, 3]});
    let scope = Scope::of_payload(&payload, None);
    let endless = Expr::compile("[limit(1; repeat(empty))] // 1").unwrap();
    let failed = endless.eval(&scope).unwrap_err();
    assert!(failed.exhausted, "{failed:?}");
    assert!(scope.meter().used() > 0);
    // an expression that is fine on its own
    let well = Expr::compile(".a | map(. + 1)").unwrap();
    assert!(well.eval(&scope).unwrap_err().exhausted);
    let fresh = Scope::of_payload(&payload, None);
    assert!(well.eval(&fresh).is_ok());
}

#[test]
fn what_cannot_be_a_regular_expression_here_is_refused() {
    for (text, problem) in [
        ("test(\"a(?=b)\")", "look-around"),
        (
            "test(\"b(a\")",
            "is not valid at character 2: unclosed group",
        ),
        (
            "test(\"(a)\\\\1\")",
            "is not valid at character 4: backreferences",
        ),
        ("test([\"a[\", \"x\"])", "`a[` is not valid at character 2"),
        ("test([\"a\", \"q\"])", "has a flag that is not known"),
        (
            "\"*\" as $re | .a | test($re)",
            "`*` is not valid at character 1",
        ),
        (
            ".a | sub(\"^\" + \"(\"; \"\")",
            "`^(` is not valid at character 2",
        ),
        ("test(\"(\\\\w{100}){100}\")", "is too large"),
        ("test(\"a\"; \"q\")", "has a flag that is not known"),
    ] {
        let refused = Expr::compile(text).unwrap_err();
        assert!(refused.problem.contains(problem), "{text}: {refused:?}");
    }
}

/// Any JSON with the keys that the expressions below read.
fn any_json() -> impl Strategy<Value = Value<'static>> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-5_i64..5).prop_map(Value::from),
        any::<f64>().prop_filter_map("finite", |f| serde_json::Number::from_f64(f)
            .map(Value::Number)),
        prop_oneof![Just(1.0), Just(0.0), Just(-0.0), Just(1e20), Just(27.5)]
            .prop_map(|float| json!(float)),
        ".{0,6}".prop_map(Value::from),
        "[abc]".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            proptest::collection::vec(("[abc]".prop_map(Cow::Owned), inner), 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

/// Any expression that is evaluated without a stream.
fn any_direct() -> impl Strategy<Value = String> {
    let path = prop_oneof![
        Just(".".to_owned()),
        proptest::collection::vec(
            prop_oneof![
                Just(".a"),
                Just(".b"),
                Just(".c"),
                Just(".a?"),
                Just(".b?"),
                Just("[0]"),
                Just("[-1]"),
                Just("[1]?"),
                Just("[\"c\"]")
            ],
            1..4
        )
        .prop_map(|steps| {
            let path = steps.concat();
            if path.starts_with('[') {
                format!(".{path}")
            } else {
                path
            }
        }),
    ];
    let leaf = prop_oneof![
        4 => path,
        1 => prop_oneof![Just("null"), Just("true"), Just("false"), Just("0"), Just("7"), Just("\"a\""), Just("\"\"")].prop_map(str::to_owned),
    ];
    leaf.prop_recursive(3, 12, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(l, r)| format!("({l} // {r})")),
            (inner.clone(), inner.clone()).prop_map(|(l, r)| format!("({l} == {r})")),
            (inner.clone(), inner.clone()).prop_map(|(l, r)| format!("({l} != {r})")),
            (inner.clone(), inner.clone()).prop_map(|(l, r)| format!("({l} and {r})")),
            (inner.clone(), inner.clone()).prop_map(|(l, r)| format!("({l} or {r})")),
            (inner.clone(), inner.clone()).prop_map(|(l, r)| format!("\"x\\({l})-\\({r})\"")),
            (inner.clone(), inner.clone())
                .prop_map(|(l, r)| format!("(if {l} then {r} else .a end)")),
            (inner.clone(), inner.clone())
                .prop_map(|(l, r)| format!("(if {l} then 1 elif {r} then .b end)")),
            inner.clone().prop_map(|l| format!("[.a[] | {l}]")),
            inner.clone().prop_map(|l| format!("[.b[]? | {l}]")),
            inner.clone().prop_map(|l| format!("(.c | map({l}))")),
            inner.clone().prop_map(|l| format!("(.[0]? | {l})")),
            Just("[.a.b[]]".to_owned()),
            (inner.clone(), inner.clone())
                .prop_map(|(l, r)| format!("{{a, b: {l}, \"c d\": {r}, b: .}}")),
            inner.clone().prop_map(|l| format!("({l} | length)")),
            inner.prop_map(|l| format!("({l} | not)")),
        ]
    })
}

proptest! {
    #[test]
    fn the_direct_plan_and_the_interpreter_agree(text in any_direct(), payloads in proptest::collection::vec(any_json(), 8)) {
        let direct = Expr::compile(&text).unwrap();
        prop_assert!(direct.is_direct(), "{}", text);
        let interpreted = Expr::compile_interpreted(&text).unwrap();
        for payload in payloads {
            match (run(&direct, &payload), run(&interpreted, &payload)) {
                (Ok(direct), Ok(interpreted)) => prop_assert_eq!(direct, interpreted, "{} on {}", text, payload),
                (Err(_), Err(_)) => {}
                (direct, interpreted) => prop_assert!(false, "{} on {}: {:?} and {:?}", text, payload, direct, interpreted),
            }
        }
    }

    #[test]
    fn no_text_makes_the_compiler_panic(text in "[ -~]{0,40}|[.a-c|()\\[\\]{}\"\\\\,:;?$@0-9 ]{0,40}") {
        let compiled = Expr::compile(&text);
        if let Ok(expr) = compiled {
            drop(run(&expr, &json!({"a": [1, {"b": "c"}]})));
        }
    }
}

#[test]
fn what_is_probably_a_mistake_is_told() {
    let doubt = |text: &str| {
        let doubt = Expr::compile(text).unwrap().doubt();
        doubt.map(|(problem, help)| format!("{problem}; {help}"))
    };
    for (text, told) in [
        ("$event.verison", "did you mean `$event.version`?"),
        (r#""at \($event.tiem)""#, "did you mean `$event.time`?"),
        ("$event.nothing_like_it", "it has name, id, time"),
        ("if .a = 1 then 2 else 3 end", "`==` compares"),
        ("[.l[] | select(.s = \"x\")]", "`==` compares"),
        ("any(.l[]; .s = 1)", "`==` compares"),
    ] {
        let doubt = doubt(text).unwrap_or_default();
        assert!(doubt.contains(told), "{text}: {doubt}");
    }
    for text in [
        "$event.attributes.anything // $event.version",
        "if .a == 1 and .b != 2 then .c else .d <= 4 end",
        "[.l[] | select(.s >= 1) | .t = 2]",
        "if .a then (.b = 1) else .b |= 2 end",
        ".if = 1",
    ] {
        assert_eq!(doubt(text), None, "{text}");
    }
}
