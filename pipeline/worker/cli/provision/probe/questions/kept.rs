//! How long results of bulk jobs can be read: asked hours or days after the jobs were made.

use ingest_model::call::{Call, CallResult};
use ingest_model::outcome::Outcome;

use crate::cli::provision::probe::ask::Stop;
use crate::cli::provision::probe::jobs::unexpected;
use crate::cli::provision::probe::question::{Question, Verdict};
use crate::cli::provision::probe::state::Probe;
use crate::clock::Clock;
use crate::config::settings::profile::ProbedJob;

/// Reads the jobs of the earlier profile.
pub(in crate::cli::provision::probe) async fn ask(probe: &mut Probe) -> Result<(), Stop> {
    let mut jobs = std::mem::take(&mut probe.earlier_jobs);
    let asked = look(probe, &mut jobs).await;
    let (verdict, answer) = judge(&jobs);
    probe.earlier_jobs = jobs;
    asked?;
    let evidence = probe.ask.take_evidence();
    probe.settle(Question::ResultsKept, verdict, answer, evidence);
    Ok(())
}

async fn look(probe: &mut Probe, jobs: &mut [ProbedJob]) -> Result<(), Stop> {
    for job in jobs.iter_mut().filter(|job| job.lost_ms.is_none()) {
        let call = Call::ReadJob {
            job: job.id.as_str().into(),
        };
        let about = format!("ended {} ago", after(Clock.unix_ms(), job));
        let (result, heard) = probe.ask.call(&call, &about).await?;
        let CallResult::Job(Outcome::Delivered(report)) = result else {
            return Err(unexpected(&heard));
        };
        // Without batches nothing of it can be read, whatever the status says.
        if report.unknown || !report.complete {
            job.lost_ms = Some(Clock.unix_ms());
        } else {
            job.readable_ms = Clock.unix_ms();
        }
    }
    Ok(())
}

fn judge(jobs: &[ProbedJob]) -> (Verdict, String) {
    let longest = jobs.iter().max_by_key(|job| job.readable_ms - job.ended_ms);
    let Some(longest) = longest else {
        return (
            Verdict::NotSettled,
            "the earlier profile has no jobs".to_owned(),
        );
    };
    let at_least = after(longest.readable_ms, longest);
    let lost = jobs
        .iter()
        .filter_map(|job| Some((after_ms(job.lost_ms?, job), job)));
    match lost.min_by_key(|(after, _)| *after) {
        Some((_, job)) => {
            let (from, to) = (
                after(job.readable_ms, job),
                after(job.lost_ms.unwrap_or_default(), job),
            );
            (
                Verdict::No,
                format!(
                    "they were lost between {from} and {to} after the job's end; the longest readable were so for {at_least}"
                ),
            )
        }
        None => (
            Verdict::Yes,
            format!("for at least {at_least} after the job's end"),
        ),
    }
}

fn after_ms(at_ms: i64, job: &ProbedJob) -> i64 {
    (at_ms - job.ended_ms).max(0)
}

fn after(at_ms: i64, job: &ProbedJob) -> String {
    let seconds = after_ms(at_ms, job) / 1_000;
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    fn job(readable: i64, lost: Option<i64>) -> ProbedJob {
        ProbedJob {
            id: "j".to_owned(),
            ended_ms: 1_000,
            readable_ms: 1_000 + readable * HOUR_MS,
            lost_ms: lost.map(|hours| 1_000 + hours * HOUR_MS),
        }
    }

    #[test]
    fn what_is_known_of_results_is_a_span() {
        assert_eq!(judge(&[]).0, Verdict::NotSettled);
        let (verdict, answer) = judge(&[job(3, None), job(1, None)]);
        assert_eq!(
            (verdict, answer.as_str()),
            (Verdict::Yes, "for at least 3 h after the job's end")
        );
        let (verdict, answer) = judge(&[job(3, None), job(5, Some(7))]);
        assert_eq!(verdict, Verdict::No);
        assert!(answer.contains("between 5 h and 7 h"), "{answer}");
    }
}
