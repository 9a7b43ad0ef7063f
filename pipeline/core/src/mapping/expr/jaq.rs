//! Running jq on the interpreter, within bounds.
//!
//! The interpreter has no clock, so the bound is on steps: [`super::guard`] counts the outputs of every part of an
//! expression, and the run ends when [`MAX_STEPS`] are used. Additions and multiplications that could grow
//! a text, list or number without end are bounded by size. A panic inside the interpreter is caught and is a failure
//! like any other.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use jaq_core::box_iter::box_once;
use jaq_core::data::{DataT, HasLut};
use jaq_core::load::parse::{Def, Term};
use jaq_core::load::{Arena, File, Loader};
use jaq_core::native::{self, Fun, bome, run, v};
use jaq_core::{Compiler, Ctx, Error, Exn, Filter, Lut, Native, RunPtr, ValR, Vars};
use jaq_json::{Num, Val};
use serde_json::{Map, Number, Value};

use super::guard::{ADD, MULTIPLY, SHORT, STEP};
use super::{Failed, Refused, Scope, hint};

/// Steps that one evaluation may take.
pub(super) const MAX_STEPS: u32 = 200_000;

/// Bytes of text for which an output costs one more step: bounds the memory of all outputs together.
const BYTES_A_STEP: usize = 256;

/// Bytes that a text, or items that a list, may have after `+` or `*`.
const MAX_SIZE: usize = 4 * 1024 * 1024;

/// Bytes of a text, or items of a list, that regular expressions and searches take.
const MAX_COSTLY: usize = 16 * 1024;

/// The name of the definition that holds the expression.
const MAIN: &str = "__main";

/// A compiled expression for the interpreter.
pub(super) struct Program {
    filter: Filter<Bounded>,
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Program").finish_non_exhaustive()
    }
}

/// Name, arguments and function of a native filter.
type Named = native::Filter<RunPtr<Bounded>>;

/// The data that native filters see: the program and the steps that are left.
struct Bounded;

#[derive(Clone, Copy)]
struct Budget<'a> {
    lut: &'a Lut<Bounded>,
    steps: &'a Cell<u32>,
}

impl DataT for Bounded {
    type V<'a> = Val;
    type Data<'a> = Budget<'a>;
}

impl<'a> HasLut<'a, Bounded> for Budget<'a> {
    fn lut(&self) -> &'a Lut<Bounded> {
        self.lut
    }
}

impl Budget<'_> {
    /// Takes a step, and more for a long text. The end of the steps is no error that `try` or `?` could catch.
    fn step<'a>(self, output: &Val) -> Result<(), Exn<'a, Val>> {
        let text = match output {
            Val::TStr(text) | Val::BStr(text) => text.len(),
            Val::Null | Val::Bool(_) | Val::Num(_) | Val::Arr(_) | Val::Obj(_) => 0,
        };
        let cost = u32::try_from(1 + text / BYTES_A_STEP).unwrap_or(u32::MAX);
        let left = self
            .steps
            .get()
            .checked_sub(cost)
            .ok_or_else(|| Exn::halt(0))?;
        self.steps.set(left);
        Ok(())
    }
}

impl Program {
    /// Compiles a term that [`super::guard`] has let through.
    pub(super) fn compile(term: Term<&str>) -> Result<Self, Refused> {
        let defs = jaq_core::defs()
            .chain(jaq_std::defs())
            .chain(jaq_json::defs())
            .map(shorter);
        let main = Def {
            name: MAIN,
            args: Vec::new(),
            body: super::guard::bounded(term),
        };
        let loader = Loader::new(defs.chain([main]));
        let arena = Arena::default();
        let modules = loader.load(
            &arena,
            File {
                code: MAIN,
                path: (),
            },
        );
        let modules = modules.map_err(|_errors| Refused {
            problem: "the expression cannot be loaded".into(),
            help: None,
        })?;
        let compiler = Compiler::default()
            .with_funs(funs())
            .with_global_vars(["$event", "$record"]);
        let filter = compiler.compile(modules).map_err(|errors| {
            let names: Vec<String> = errors
                .iter()
                .flat_map(|(_file, undefined)| undefined)
                .map(|(name, what)| format!("there is no {} `{name}`", what.as_str()))
                .collect();
            Refused {
                problem: names.join("; "),
                help: errors
                    .iter()
                    .flat_map(|(_, undefined)| undefined)
                    .map(|(name, _)| help_for_undefined(name))
                    .next(),
            }
        })?;
        Ok(Self { filter })
    }

    /// The one output, `None` if there is none.
    pub(super) fn run(&self, scope: &Scope<'_>) -> Result<Option<Value>, Failed> {
        let steps = Cell::new(MAX_STEPS);
        let attempt = catch_unwind(AssertUnwindSafe(|| {
            let budget = Budget {
                lut: &self.filter.lut,
                steps: &steps,
            };
            let vars = Vars::new([scope.event_val(), scope.record_val()]);
            let ctx = Ctx::<Bounded>::new(budget, vars);
            let mut outputs = self.filter.id.run((ctx, scope.payload_val()));
            let first = match outputs.next() {
                None => return Ok(None),
                Some(first) => first.map_err(failed)?,
            };
            match outputs.next() {
                None => to_value(&first).map(Some),
                Some(Ok(_)) => Err(Failed(
                    "the expression has several outputs; put it in [ ] or take the first",
                )),
                Some(Err(exception)) => Err(failed(exception)),
            }
        }));
        attempt.unwrap_or(Err(Failed("the interpreter gave up on the expression")))
    }
}

/// A standard definition among those that live as long as the expression.
fn shorter<'s>(def: Def<&'static str>) -> Def<&'s str> {
    def
}

fn failed(exception: Exn<'_, Val>) -> Failed {
    match exception.get_halt() {
        Ok(_) => Failed("the expression takes too many steps"),
        // the error's own text shows the data
        Err(_) => Failed("the expression failed on this event"),
    }
}

fn help_for_undefined(name: &str) -> String {
    if name.starts_with('$') {
        return "only `$event` and `$record` are defined".to_owned();
    }
    let defined = jaq_core::defs()
        .chain(jaq_std::defs())
        .chain(jaq_json::defs());
    let native: Vec<&str> = funs().map(|(name, ..)| name).collect();
    let known: Vec<&str> = defined
        .map(|def| def.name)
        .chain(native)
        .filter(|known| !known.starts_with('_'))
        .collect();
    hint::of_unknown_filter(name, known)
        .unwrap_or_else(|| format!("{}; a field needs a dot: .{name}", hint::quoted(name)))
}

/// The standard filters, with `fromjson` replaced, and those that keep the bounds. Filters that see the world are among
/// them because standard definitions name them; [`super::guard`] keeps expressions from calling either.
fn funs() -> impl Iterator<Item = Fun<Bounded>> {
    let standard = jaq_core::funs()
        .chain(jaq_std::funs())
        .chain(jaq_json::funs());
    let seen = standard.filter(|(name, ..)| *name != "fromjson");
    let step: Fun<Bounded> = (
        STEP,
        v(0),
        Native::<Bounded>::new(|cv| box_once(cv.0.data().step(&cv.1).map(|()| cv.1)))
            .with_paths(|cv| box_once(cv.0.data().step(&cv.1.0).map(|()| cv.1)))
            .with_update(|cv, update| match cv.0.data().step(&cv.1) {
                Ok(()) => update(cv.1),
                Err(exception) => box_once(Err(exception)),
            }),
    );
    let own: [Named; 4] = [
        (ADD, v(2), |mut cv| {
            let (right, left) = (cv.0.pop_var(), cv.0.pop_var());
            bome(add(left, right))
        }),
        (MULTIPLY, v(2), |mut cv| {
            let (right, left) = (cv.0.pop_var(), cv.0.pop_var());
            bome(multiply(left, right))
        }),
        ("fromjson", v(0), |cv| bome(from_json(&cv.1))),
        (SHORT, v(0), |cv| {
            bome(if size(&cv.1) > MAX_COSTLY {
                Err(Error::str("too large"))
            } else {
                Ok(cv.1)
            })
        }),
    ];
    seen.chain([step])
        .chain(own.into_iter().map(|native: Named| run::<Bounded>(native)))
}

fn add(left: Val, right: Val) -> ValR<Val> {
    if size(&left).saturating_add(size(&right)) > MAX_SIZE {
        return Err(Error::str("too large"));
    }
    left + right
}

fn multiply(left: Val, right: Val) -> ValR<Val> {
    use jaq_std::ValT as _;
    let repeated = match (&left, &right) {
        (Val::TStr(text) | Val::BStr(text), Val::Num(times))
        | (Val::Num(times), Val::TStr(text) | Val::BStr(text)) => {
            let times = Val::Num(times.clone());
            let times = times
                .as_isize()
                .map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(0));
            text.len().saturating_mul(times)
        }
        _ => size(&left).saturating_add(size(&right)),
    };
    if repeated > MAX_SIZE {
        return Err(Error::str("too large"));
    }
    left * right
}

fn size(value: &Val) -> usize {
    match value {
        Val::TStr(text) | Val::BStr(text) => text.len(),
        Val::Arr(items) => items.len(),
        Val::Obj(fields) => fields.len(),
        // a number of 4,096 bits is none that anybody sends
        Val::Num(Num::BigInt(number)) => usize::try_from(number.bits())
            .unwrap_or(usize::MAX)
            .saturating_mul(MAX_SIZE / 4096),
        Val::Num(Num::Int(_) | Num::Float(_) | Num::Dec(_)) | Val::Null | Val::Bool(_) => 0,
    }
}

/// `fromjson` with the limits of the decoder; the interpreter's own has none on depth.
fn from_json(value: &Val) -> ValR<Val> {
    let (Val::TStr(text) | Val::BStr(text)) = value else {
        return Err(Error::str("not a text"));
    };
    match crate::decode::json::parse_nested(text) {
        Some(value) => Ok(to_val(&value)),
        None => Err(Error::str("not JSON")),
    }
}

/// A JSON value as the interpreter holds it.
pub(super) fn to_val(value: &Value) -> Val {
    match value {
        Value::Null => Val::Null,
        Value::Bool(yes) => Val::Bool(*yes),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(whole), _) => Val::Num(Num::from_integral(whole)),
            (None, Some(whole)) => Val::Num(Num::from_integral(whole)),
            (None, None) => Val::Num(Num::Float(number.as_f64().unwrap_or(f64::NAN))),
        },
        Value::String(text) => Val::utf8_str(text.clone()),
        Value::Array(items) => Val::Arr(Rc::new(items.iter().map(to_val).collect())),
        Value::Object(fields) => Val::obj(
            fields
                .iter()
                .map(|(key, value)| (Val::utf8_str(key.clone()), to_val(value)))
                .collect(),
        ),
    }
}

/// The interpreter's value as JSON. A whole number beyond 64 bits becomes a text of its digits, as when decoding.
fn to_value(value: &Val) -> Result<Value, Failed> {
    Ok(match value {
        Val::Null => Value::Null,
        Val::Bool(yes) => Value::Bool(*yes),
        Val::Num(Num::Int(whole)) => Value::from(*whole),
        Val::Num(Num::BigInt(whole)) => {
            let digits = whole.to_string();
            digits
                .parse::<u64>()
                .map_or_else(|_| Value::String(digits), Value::from)
        }
        Val::Num(Num::Float(float)) => float_value(*float)?,
        Val::Num(Num::Dec(text)) => float_value(text.parse().unwrap_or(f64::NAN))?,
        Val::TStr(text) => match std::str::from_utf8(text) {
            Ok(text) => Value::from(text),
            Err(_) => return Err(Failed("the expression gave a text that is not UTF-8")),
        },
        Val::BStr(_) => return Err(Failed("the expression gave bytes, which JSON has not")),
        Val::Arr(items) => Value::Array(items.iter().map(to_value).collect::<Result<_, _>>()?),
        Val::Obj(fields) => {
            let mut map = Map::with_capacity(fields.len());
            for (key, value) in fields.iter() {
                let Value::String(key) = to_value(key)? else {
                    return Err(Failed(
                        "the expression gave an object with a key that is no text",
                    ));
                };
                map.insert(key, to_value(value)?);
            }
            Value::Object(map)
        }
    })
}

fn float_value(float: f64) -> Result<Value, Failed> {
    let number =
        Number::from_f64(float).ok_or(Failed("the expression gave a number that is not finite"))?;
    Ok(Value::Number(number))
}
