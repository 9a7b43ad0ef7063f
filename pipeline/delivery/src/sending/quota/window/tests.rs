//! What is learnt of the server's window.

use super::*;

const MINUTE: Duration = Duration::from_secs(60);
const LIMIT: u32 = 300;
const ALONE: Group = Group {
    siblings: 0.0,
    part: 1.0,
};

/// A server in steps of a tenth of a second: in each, one request of ours if we send, and some of others.
struct Server {
    kind: Kind,
    began: usize,
    spent: Vec<u32>,
    /// What is in the bucket, in halves of a request.
    halves: u32,
    step: u32,
}

/// What is played against it.
struct Scene {
    server: Server,
    window: Window,
    start: Instant,
}

impl Server {
    fn left(&self) -> u32 {
        let taken: u32 = match self.kind {
            Kind::Fixed => self.of(self.began),
            Kind::Sliding => self.of(self.spent.len().saturating_sub(600)),
            Kind::Leaky => return LIMIT - self.halves.div_ceil(2),
        };
        LIMIT.saturating_sub(taken)
    }

    /// What was spent from that step on.
    fn of(&self, first: usize) -> u32 {
        self.spent.iter().skip(first).sum()
    }

    fn spend(&mut self, requests: u32) {
        let granted = requests.min(self.left());
        *self.spent.last_mut().unwrap() += granted;
        self.halves += 2 * granted;
    }
}

impl Scene {
    fn new(kind: Kind) -> Self {
        let mut window = Window::new(MINUTE);
        window.reported(LIMIT);
        Self {
            server: Server {
                kind,
                began: 0,
                spent: vec![0],
                halves: 0,
                step: 0,
            },
            window,
            start: crate::common::instants::start() + 3 * MINUTE,
        }
    }

    fn now(&self) -> Instant {
        self.start + Duration::from_millis(100) * self.server.step
    }

    /// For so many seconds, others send so many requests a second, and we send at this many (at most 10).
    fn play(&mut self, seconds: u32, others: u32, ours: u32) {
        self.play_told(seconds, others, ours, |_| None);
    }

    /// The same with a reset header made from the step.
    fn play_told(
        &mut self,
        seconds: u32,
        others: u32,
        ours: u32,
        header: impl Fn(u32) -> Option<Duration>,
    ) {
        for _ in 0..seconds * 10 {
            self.server.step += 1;
            self.server.spent.push(0);
            // Of 300 a minute, half a request leaks in a tenth of a second.
            self.server.halves = self.server.halves.saturating_sub(1);
            let step = self.server.step;
            if self.server.spent.len() - self.server.began > 600 {
                self.server.began = self.server.spent.len() - 1;
            }
            let due = |rate: u32| (step * rate) / 10 - ((step - 1) * rate) / 10;
            self.server.spend(due(others));
            for _ in 0..due(ours) {
                let sent = self.now();
                let number = self.window.sent(sent);
                self.server.spend(1);
                self.window.learn(&Look {
                    number,
                    sent,
                    came: sent + Duration::from_millis(80),
                    remaining: self.server.left(),
                    resets_in: header(step),
                });
            }
        }
    }

    fn kind(&self) -> Kind {
        self.window.kinds.present()
    }

    fn pace(&self, reserve: u32) -> f64 {
        let pace = self.window.pace(self.now(), reserve, LIMIT, ALONE);
        pace.expect("the window is known")
    }
}

#[test]
fn a_fixed_window_is_known_from_the_first_time_the_limit_comes_back() {
    let mut scene = Scene::new(Kind::Fixed);
    scene.play(59, 1, 3);
    assert_eq!(scene.window.known_end(), None, "it was not seen to begin");
    scene.play(11, 1, 3);
    let end = scene.window.known_end().expect("it was seen");
    let late = end.saturating_duration_since(scene.start + 2 * MINUTE);
    assert!(
        end >= scene.start + 2 * MINUTE && late < Duration::from_millis(500),
        "{late:?}"
    );
    assert_eq!(scene.kind(), Kind::Fixed);
}

#[test]
fn every_kind_is_told_from_the_others() {
    for kind in [Kind::Fixed, Kind::Sliding, Kind::Leaky] {
        let mut scene = Scene::new(kind);
        scene.play(20, 0, 4);
        scene.play(55, 2, 3);
        scene.play(45, 1, 3);
        scene.play(60, 0, 4);
        assert_eq!(scene.kind(), kind);
    }
}

#[test]
fn a_server_that_changes_its_kind_is_followed() {
    let mut scene = Scene::new(Kind::Fixed);
    scene.play(150, 1, 3);
    assert_eq!(scene.kind(), Kind::Fixed);
    scene.server.kind = Kind::Leaky;
    scene.play(120, 1, 3);
    assert_eq!(scene.kind(), Kind::Leaky);
    scene.server.kind = Kind::Fixed;
    scene.play(180, 1, 3);
    assert_eq!(scene.kind(), Kind::Fixed);
}

#[test]
fn what_others_spend_is_told_from_what_we_spend() {
    for kind in [Kind::Fixed, Kind::Sliding, Kind::Leaky] {
        let mut scene = Scene::new(kind);
        scene.play(100, 1, 3);
        // More in all than leaks: else nothing would be missing from a bucket that leaks.
        scene.play(25, 4, 2);
        let rate = scene.window.foreign_rate();
        assert!((3.5..4.5).contains(&rate), "{kind:?}: {rate}");
    }
}

#[test]
fn the_pace_leaves_others_what_they_use_to_spend() {
    let mut scene = Scene::new(Kind::Fixed);
    scene.play(90, 1, 3);
    // Half of the window is over: 120 are spent, and others will want 30 more.
    let left = 180.0 - 20.0 - 30.0;
    let pace = scene.pace(20);
    assert!((pace - left / 30.0).abs() < 0.4, "{pace}");
    let none = scene.pace(150);
    assert!(
        none < 0.2,
        "others and the reserve need what is left: {none}"
    );
}

#[test]
fn an_answer_that_was_overtaken_only_shows_that_less_is_left() {
    let mut scene = Scene::new(Kind::Fixed);
    scene.play(70, 1, 3);
    let sent = scene.now();
    let (older, newer) = (scene.window.sent(sent), scene.window.sent(sent));
    let look = |number, sent, remaining| Look {
        number,
        sent,
        came: sent + Duration::from_millis(200),
        remaining,
        resets_in: None,
    };
    assert!(scene.window.learn(&look(newer, sent, 200)));
    assert!(!scene.window.learn(&look(older, sent, 201)));
    assert_eq!(scene.window.remaining(), Some(200));
    assert!(scene.window.learn(&look(older, sent, 199)));
    assert_eq!(scene.window.remaining(), Some(199));
    let before = scene.start + Duration::from_secs(59);
    assert!(
        !scene.window.learn(&look(older, before, 3)),
        "of the window before"
    );
    assert_eq!(scene.window.remaining(), Some(199));
}

#[test]
fn a_reset_header_ends_the_first_window_and_one_that_does_not_come_true_is_ignored() {
    let mut scene = Scene::new(Kind::Fixed);
    scene.play(30, 1, 3);
    let unknown = scene.window.opens(300).expect("an end");
    scene.play_told(1, 1, 3, |step| {
        Some(Duration::from_millis(u64::from(600 - step) * 100))
    });
    let told = scene.window.opens(300).expect("an end");
    assert!(
        told < unknown && told >= scene.start + MINUTE,
        "{:?}",
        told - scene.start
    );

    let mut scene = Scene::new(Kind::Fixed);
    scene.play_told(40, 0, 4, |_| Some(Duration::from_secs(1)));
    assert!(scene.window.header_lied);
    let end = scene.window.opens(300).expect("an end");
    assert!(end >= scene.start + MINUTE, "{:?}", end - scene.start);
    assert_eq!(scene.kind(), Kind::Fixed);
}

#[test]
fn a_bucket_that_leaks_opens_when_enough_has_leaked() {
    let mut scene = Scene::new(Kind::Leaky);
    scene.play(60, 0, 4);
    scene.play(70, 3, 4);
    assert_eq!(scene.kind(), Kind::Leaky);
    let left = scene.window.remaining().expect("a look");
    let wait = scene.window.opens(left + 10).expect("a time") - scene.now();
    // Five a second leak, three of them go to others.
    assert!((4..8).contains(&wait.as_secs()), "{wait:?}");
}

#[test]
fn after_a_minute_of_silence_nothing_is_known_of_what_is_left() {
    let mut scene = Scene::new(Kind::Fixed);
    scene.play(90, 1, 3);
    assert!(scene.window.pace(scene.now(), 0, LIMIT, ALONE).is_some());
    assert_eq!(
        scene.window.pace(scene.now() + MINUTE, 0, LIMIT, ALONE),
        None
    );
}
