//! The texts of the page in English, Korean and Japanese.
//!
//! A missing text does not compile. Names of properties and words of the other formats stay as they are in every language,
//! so that one can look for them.

use crate::engine::config::model::Activation;
use crate::engine::status::view::{Cause, State};

/// All texts in one language. `{}` is where a value goes.
#[derive(Debug)]
#[allow(missing_docs, reason = "each field is its English text")]
pub struct Texts {
    pub lang: &'static str,
    pub title: &'static str,
    pub read_only: &'static str,
    pub read_write: &'static str,
    pub skip: &'static str,
    pub overview: &'static str,
    pub dump: &'static str,
    pub version: &'static str,
    pub formats: &'static str,
    pub refresh_on: &'static str,
    pub refresh_off: &'static str,
    pub server_time: &'static str,
    pub balancers: &'static str,
    pub balancer: &'static str,
    pub members: &'static str,
    pub workers: &'static str,
    pub worker: &'static str,
    pub maps: &'static str,
    pub settings: &'static str,
    pub summary: &'static str,
    pub legend: &'static str,
    pub hide: &'static str,
    pub show: &'static str,
    pub edit: &'static str,
    pub reset: &'static str,
    pub recover: &'static str,
    pub activate: &'static str,
    pub drain: &'static str,
    pub stop: &'static str,
    pub update: &'static str,
    pub cancel: &'static str,
    pub edit_all: &'static str,
    pub name: &'static str,
    pub state: &'static str,
    pub activation: &'static str,
    pub requests: &'static str,
    pub sessions: &'static str,
    pub errors: &'static str,
    pub load: &'static str,
    pub bytes: &'static str,
    pub busy: &'static str,
    pub connections: &'static str,
    pub route: &'static str,
    pub times: &'static str,
    pub actions: &'static str,
    pub good: &'static str,
    pub degraded: &'static str,
    pub bad: &'static str,
    pub next_maintenance: &'static str,
    pub last_reset: &'static str,
    pub seconds_ago: &'static str,
    pub retry_in: &'static str,
    pub since_first: &'static str,
    pub last_failure: &'static str,
    pub draining_until: &'static str,
    pub draining: &'static str,
    pub lost_sessions: &'static str,
    pub drift: &'static str,
    pub result_ok: &'static str,
    pub redirected: &'static str,
    pub result_error: &'static str,
    pub start_page: &'static str,
    pub nothing: &'static str,
    pub states: [&'static str; 7],
    pub activations: [&'static str; 3],
    pub causes: [&'static str; 8],
}

/// English.
pub const ENGLISH: Texts = Texts {
    lang: "en",
    title: "JK Status Manager",
    read_only: "read only",
    read_write: "Read/Write",
    skip: "Skip to content",
    overview: "All workers",
    dump: "Configuration as read",
    version: "Version",
    formats: "As",
    refresh_on: "Refresh every 10 s",
    refresh_off: "Stop refreshing",
    server_time: "Server time",
    balancers: "Load balancers",
    balancer: "Load balancer",
    members: "Members",
    workers: "AJP workers",
    worker: "AJP worker",
    maps: "URI mappings",
    settings: "Settings",
    summary: "Summary",
    legend: "Legend",
    hide: "Hide",
    show: "Show",
    edit: "Edit",
    reset: "Reset",
    recover: "Try again now",
    activate: "Activate",
    drain: "Drain",
    stop: "Stop",
    update: "Save",
    cancel: "Back",
    edit_all: "Edit one setting of all members",
    name: "Name",
    state: "State",
    activation: "Activation",
    requests: "Requests",
    sessions: "Sessions",
    errors: "Errors",
    load: "Load",
    bytes: "Sent / received",
    busy: "In work",
    connections: "Connections",
    route: "Route",
    times: "Times",
    actions: "Actions",
    good: "good",
    degraded: "degraded",
    bad: "bad",
    next_maintenance: "Next maintenance in {} s",
    last_reset: "Counters since",
    seconds_ago: "{} s ago",
    retry_in: "tried again in {} s",
    since_first: "failing for {} s",
    last_failure: "Last failure",
    draining_until: "draining, stopped in {} s",
    draining: "draining",
    lost_sessions: "{} % of the session ids carry no route of a member. Look at jvmRoute in Tomcat's server.xml: it must be the \
                    route of the member.",
    drift: "Changed at run time (configured value)",
    result_ok: "Result: OK",
    redirected: "You will be redirected in 3 seconds.",
    result_error: "Result: ERROR",
    start_page: "Start page",
    nothing: "Nothing to show.",
    states: [
        "Usable, without requests lately.",
        "Usable.",
        "Failed; the next suitable request tries it.",
        "All members had failed; every request may try it.",
        "No free connection.",
        "Failed; gets no requests.",
        "Failed; a request is trying it now.",
    ],
    activations: ["Takes all requests.", "Takes only requests of its own sessions.", "Takes no requests."],
    causes: [
        "No connection could be made.",
        "It did not answer a CPing.",
        "The connection broke.",
        "It did not answer in time.",
        "It broke the AJP protocol.",
        "It answered with a status that counts as failure.",
        "Its limits were reached.",
        "The client caused it.",
    ],
};

/// Korean.
pub const KOREAN: Texts = Texts {
    lang: "ko",
    title: "JK 상태 관리자",
    read_only: "읽기 전용",
    read_write: "읽기/쓰기",
    skip: "본문으로 이동",
    overview: "모든 워커",
    dump: "읽어 들인 설정",
    version: "버전",
    formats: "형식",
    refresh_on: "10초마다 새로 고침",
    refresh_off: "새로 고침 중지",
    server_time: "서버 시각",
    balancers: "로드 밸런서",
    balancer: "로드 밸런서",
    members: "멤버",
    workers: "AJP 워커",
    worker: "AJP 워커",
    maps: "URI 매핑",
    settings: "설정",
    summary: "요약",
    legend: "범례",
    hide: "숨기기",
    show: "보기",
    edit: "편집",
    reset: "초기화",
    recover: "지금 다시 시도",
    activate: "활성화",
    drain: "드레인",
    stop: "중지",
    update: "저장",
    cancel: "뒤로",
    edit_all: "모든 멤버의 설정 하나를 편집",
    name: "이름",
    state: "상태",
    activation: "활성화 상태",
    requests: "요청",
    sessions: "세션",
    errors: "오류",
    load: "부하",
    bytes: "송신 / 수신",
    busy: "처리 중",
    connections: "연결",
    route: "라우트",
    times: "시간",
    actions: "동작",
    good: "정상",
    degraded: "저하",
    bad: "불량",
    next_maintenance: "다음 점검까지 {}초",
    last_reset: "집계 시작",
    seconds_ago: "{}초 전",
    retry_in: "{}초 후 다시 시도",
    since_first: "{}초 동안 실패 중",
    last_failure: "마지막 실패",
    draining_until: "드레인 중, {}초 후 중지",
    draining: "드레인 중",
    lost_sessions: "세션 ID의 {}%에 멤버의 라우트가 없습니다. Tomcat server.xml의 jvmRoute가 멤버의 route와 같은지 확인하세요.",
    drift: "실행 중에 변경됨 (설정 파일의 값)",
    result_ok: "결과: OK",
    redirected: "3초 후에 이동합니다.",
    result_error: "결과: ERROR",
    start_page: "시작 페이지",
    nothing: "표시할 내용이 없습니다.",
    states: [
        "사용 가능하며 최근 요청이 없습니다.",
        "사용 가능합니다.",
        "실패했습니다. 다음 요청이 시험합니다.",
        "모든 멤버가 실패하여 모든 요청이 시험할 수 있습니다.",
        "빈 연결이 없습니다.",
        "실패했습니다. 요청을 받지 않습니다.",
        "실패했습니다. 지금 요청 하나가 시험하고 있습니다.",
    ],
    activations: ["모든 요청을 받습니다.", "자기 세션의 요청만 받습니다.", "요청을 받지 않습니다."],
    causes: [
        "연결하지 못했습니다.",
        "CPing에 응답하지 않았습니다.",
        "연결이 끊어졌습니다.",
        "제시간에 응답하지 않았습니다.",
        "AJP 프로토콜을 어겼습니다.",
        "실패로 간주하는 상태 코드로 응답했습니다.",
        "한도에 도달했습니다.",
        "클라이언트 때문입니다.",
    ],
};

/// Japanese.
pub const JAPANESE: Texts = Texts {
    lang: "ja",
    title: "JK ステータスマネージャ",
    read_only: "読み取り専用",
    read_write: "読み書き",
    skip: "本文へ移動",
    overview: "すべてのワーカー",
    dump: "読み込んだ設定",
    version: "バージョン",
    formats: "形式",
    refresh_on: "10 秒ごとに更新",
    refresh_off: "更新を停止",
    server_time: "サーバー時刻",
    balancers: "ロードバランサー",
    balancer: "ロードバランサー",
    members: "メンバー",
    workers: "AJP ワーカー",
    worker: "AJP ワーカー",
    maps: "URI マッピング",
    settings: "設定",
    summary: "概要",
    legend: "凡例",
    hide: "隠す",
    show: "表示",
    edit: "編集",
    reset: "リセット",
    recover: "今すぐ再試行",
    activate: "有効化",
    drain: "ドレイン",
    stop: "停止",
    update: "保存",
    cancel: "戻る",
    edit_all: "全メンバーの設定を一つ編集",
    name: "名前",
    state: "状態",
    activation: "有効状態",
    requests: "リクエスト",
    sessions: "セッション",
    errors: "エラー",
    load: "負荷",
    bytes: "送信 / 受信",
    busy: "処理中",
    connections: "接続",
    route: "ルート",
    times: "時間",
    actions: "操作",
    good: "良好",
    degraded: "低下",
    bad: "不良",
    next_maintenance: "次のメンテナンスまで {} 秒",
    last_reset: "集計開始",
    seconds_ago: "{} 秒前",
    retry_in: "{} 秒後に再試行",
    since_first: "{} 秒間失敗中",
    last_failure: "最後の失敗",
    draining_until: "ドレイン中、{} 秒後に停止",
    draining: "ドレイン中",
    lost_sessions: "セッション ID の {} % にメンバーのルートがありません。Tomcat の server.xml の jvmRoute がメンバーの route \
                    と同じか確認してください。",
    drift: "実行中に変更 (設定ファイルの値)",
    result_ok: "結果: OK",
    redirected: "3 秒後に移動します。",
    result_error: "結果: ERROR",
    start_page: "開始ページ",
    nothing: "表示するものはありません。",
    states: [
        "使用可能。最近リクエストはありません。",
        "使用可能。",
        "失敗。次のリクエストが試します。",
        "全メンバーが失敗したため、どのリクエストも試せます。",
        "空いている接続がありません。",
        "失敗。リクエストを受けません。",
        "失敗。今リクエストが試しています。",
    ],
    activations: [
        "すべてのリクエストを受けます。",
        "自分のセッションのリクエストだけ受けます。",
        "リクエストを受けません。",
    ],
    causes: [
        "接続できませんでした。",
        "CPing に応答しませんでした。",
        "接続が切れました。",
        "時間内に応答しませんでした。",
        "AJP プロトコルに違反しました。",
        "失敗とみなすステータスで応答しました。",
        "上限に達しました。",
        "クライアントが原因です。",
    ],
};

/// The language for a header `Accept-Language`: of those there are, the one with the greatest weight, the first of equals;
/// English when none is wanted. Source: RFC 9110 section 12.5.4.
pub fn choose(accept_language: Option<&str>) -> &'static Texts {
    let mut best: (&'static Texts, u32) = (&ENGLISH, 0);
    for item in accept_language.unwrap_or_default().split(',').take(20) {
        let mut parts = item.split(';').map(str::trim);
        let tag = parts.next().unwrap_or_default().to_ascii_lowercase();
        let texts = match tag.split('-').next() {
            Some("en") => &ENGLISH,
            Some("ko") => &KOREAN,
            Some("ja") => &JAPANESE,
            _ => continue,
        };
        let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1000), thousandths);
        if let Some(weight) = weight.filter(|weight| *weight > best.1) {
            best = (texts, weight);
        }
    }
    best.0
}

/// `0.8` as 800; `None` for what is no weight.
fn thousandths(text: &str) -> Option<u32> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let whole: u32 = whole.parse().ok().filter(|whole| *whole <= 1)?;
    let fraction: u32 = format!("{fraction:0<3}").parse().ok()?;
    Some((whole * 1000 + fraction).min(1000))
}

impl Texts {
    /// What a state means.
    pub fn state(&self, state: State) -> &'static str {
        let place = State::ALL.iter().position(|other| *other == state);
        place.and_then(|place| self.states.get(place)).copied().unwrap_or_default()
    }

    /// What an activation means.
    pub fn activation_words(&self, activation: Activation) -> &'static str {
        let place = Activation::WORDS.iter().position(|(_, other)| *other == activation);
        place.and_then(|place| self.activations.get(place)).copied().unwrap_or_default()
    }

    /// What a cause means.
    pub fn cause(&self, cause: Cause) -> &'static str {
        let place = Cause::ALL.iter().position(|other| *other == cause);
        place.and_then(|place| self.causes.get(place)).copied().unwrap_or_default()
    }
}

/// The text with a value at its place.
pub fn fill(text: &str, value: impl std::fmt::Display) -> String {
    text.replacen("{}", &value.to_string(), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wanted_language() {
        for (header, lang) in [
            (None, "en"),
            (Some(""), "en"),
            (Some("ko-KR,ko;q=0.9,en-US;q=0.8,en;q=0.7"), "ko"),
            (Some("fr-FR, ja;q=0.5, en;q=0.4"), "ja"),
            (Some("en, ko"), "en"),
            (Some("ko;q=0, ja;q=0.001"), "ja"),
            (Some("ko;q=0"), "en"),
            (Some("ko;q=x,de"), "en"),
            (Some("KO"), "ko"),
            (Some("*"), "en"),
        ] {
            assert_eq!(choose(header).lang, lang, "{header:?}");
        }
    }

    #[test]
    fn values_have_their_place_in_every_language() {
        for texts in [&ENGLISH, &KOREAN, &JAPANESE] {
            for text in [
                texts.next_maintenance,
                texts.seconds_ago,
                texts.retry_in,
                texts.since_first,
                texts.draining_until,
                texts.lost_sessions,
            ] {
                assert_eq!(text.matches("{}").count(), 1, "{text}");
                assert!(fill(text, 42).contains("42"));
            }
            for state in State::ALL {
                assert!(!texts.state(state).is_empty());
            }
            for cause in Cause::ALL {
                assert!(!texts.cause(cause).is_empty());
            }
        }
    }
}
