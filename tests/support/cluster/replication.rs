//! How the nodes of a cluster share sessions: the Cluster element of each, made from the pieces of docs/sessions.md.

use super::document::{fill, piece};

/// Who copies sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replication {
    /// Nobody; or a store, which is a matter of the application's context.
    None,
    /// DeltaManager, members named in an interceptor.
    Delta,
    /// BackupManager, members named in an interceptor.
    Backup,
    /// DeltaManager, members named in a Membership element.
    Membership,
}

impl Replication {
    /// The Cluster element of node `own` (from 0) when the nodes' receivers listen on these ports; empty without one.
    pub fn cluster_element(self, own: usize, receivers: &[u16]) -> String {
        let delta = piece("cluster-delta");
        let xml = match self {
            Self::None => return String::new(),
            Self::Delta => delta,
            Self::Backup => replace_part(&delta, "<Manager ", "/>", piece("manager-backup").trim_end()),
            Self::Membership => {
                let start = "<Channel className=\"org.apache.catalina.tribes.group.GroupChannel\">";
                let xml = replace_part(&delta, " channelStartOptions=", "\"3\"", "");
                let xml = drop_line(&xml, "TcpPingInterceptor");
                let interceptor = "<Interceptor className=\"org.apache.catalina.tribes.group.interceptors.StaticMembershipInterceptor\">";
                let xml = replace_part(&xml, interceptor, "</Interceptor>", "");
                fill(xml, &[(start, &format!("{start}\n{}", piece("membership")))])
            }
        };
        let (before, member, after) = part(&xml, "<Member ", "/>");
        let members: Vec<String> = (0..receivers.len())
            .filter(|index| *index != own)
            .map(|index| {
                let port = format!("port=\"{}\"", receivers[index]);
                let id = format!(",{}}}", index + 1);
                fill(member.to_owned(), &[("10.0.0.12", "127.0.0.1"), ("port=\"4000\"", &port), (",2}", &id)])
            })
            .collect();
        let receiver = format!("address=\"127.0.0.1\" port=\"{}\"", receivers[own]);
        let id = format!(",0,{}}}", own + 1);
        fill(
            format!("{before}@MEMBERS@{after}"),
            &[
                ("address=\"10.0.0.11\" port=\"4000\"", &receiver),
                (",0,1}", &id),
                ("@MEMBERS@", &members.join("\n")),
            ],
        )
    }
}

/// `text` before, in and behind its only part that begins with `first` and ends with the next `last`.
#[track_caller]
fn part<'a>(text: &'a str, first: &str, last: &str) -> (&'a str, &'a str, &'a str) {
    assert_eq!(text.matches(first).count(), 1, "{first:?} in\n{text}");
    let begin = text.find(first).expect("counted");
    let length =
        text[begin..].find(last).unwrap_or_else(|| panic!("no {last:?} behind {first:?}")) + last.len();
    (&text[..begin], &text[begin..begin + length], &text[begin + length..])
}

fn replace_part(text: &str, first: &str, last: &str, new: &str) -> String {
    let (before, _, after) = part(text, first, last);
    format!("{before}{new}{after}")
}

fn drop_line(text: &str, with: &str) -> String {
    assert_eq!(text.matches(with).count(), 1, "{with:?} in\n{text}");
    text.lines().filter(|line| !line.contains(with)).map(|line| format!("{line}\n")).collect()
}
