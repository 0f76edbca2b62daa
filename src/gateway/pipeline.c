/* gateway/pipeline.c - bytes, request, credential, decision, audit, upstream: the
 * arrows of the design in their order, with one exit. */
#include "pipeline_inside.h"

#include <stdlib.h>

#include "approval.h"
#include "budget.h"

bool
finding_refuse(struct finding *finding, enum gate_refusal kind, struct slice reason)
{
    finding->refusal = (struct refusal){ .kind = kind, .reason = reason };
    return false;
}

/* --- request -> credential ---------------------------------------------- */

/* A passage that took the token's last use itself may go on with it. */
static bool
verdict_holds(const struct passage *passage, enum credential_verdict verdict)
{
    return verdict == CREDENTIAL_OK || (verdict == CREDENTIAL_EXHAUSTED && passage->counted);
}

bool
find_credential(const struct passage *passage, struct arena *arena, struct finding *finding)
{
    struct gate *gate = passage->gate;
    const struct asked *asked = &passage->asked;

    if (!gate_acts(gate)) {
        finding->refusal = gate_lapsed();
        return false;
    }
    if (asked->token.size == 0)
        return finding_refuse(
            finding, GATE_NO_TOKEN,
            asked->login ? SLICE_LITERAL("no token was shown: it is the password")
                         : SLICE_LITERAL("no token was shown: send Authorization: Bearer TOKEN"));
    enum credential_verdict verdict = world_authenticate(
        gate->reader, asked->token, lane_now_ms(gate->lane), arena, &finding->credential);
    if (!verdict_holds(passage, verdict))
        return finding_refuse(finding, GATE_BAD_TOKEN,
                              slice_text(credential_verdict_text(verdict)));
    return true;
}

/* A request that is no clear triple is refused, whoever asks; the credential is
 * looked up first so that the audit can say who it was. */
static bool
is_clear(const struct asked *asked, struct finding *finding)
{
    if (asked->fault.kind == GATE_NOTHING)
        return true;
    finding->refusal = asked->fault;
    return false;
}

/* --- credential -> decision --------------------------------------------- */

static enum gate_refusal
kind_of(enum refusal_kind kind)
{
    switch (kind) {
    case REFUSAL_PROOF:
        return GATE_UNPROVEN;
    case REFUSAL_DENY:
        return GATE_DENIED;
    case REFUSAL_APPROVAL:
        return GATE_UNAPPROVED;
    default:
        return GATE_FORBIDDEN;
    }
}

/* The upstream is there, and the token is for it. */
static bool
reaches(const struct asked *asked, struct finding *finding)
{
    if (asked->upstream == NULL || asked->upstream->gone)
        return finding_refuse(finding, GATE_UNKNOWN,
                              SLICE_LITERAL("no upstream of this name is known to this gateway"));
    if (!credential_reaches(&finding->credential, asked->upstream->name))
        return finding_refuse(finding, GATE_BAD_TOKEN,
                              SLICE_LITERAL("the token is for another audience"));
    return true;
}

static bool
decided(struct finding *finding, const struct decision *decision)
{
    finding->decision = decision;
    if (decision_allows(finding->decision))
        return true;
    finding->refusal = (struct refusal){
        .kind = kind_of(decision_refusal(finding->decision)),
        .reason = decision_reason(finding->decision),
    };
    /* Where a condition does not hold the right is there: to name it would mislead. */
    if (decision_refusal(finding->decision) != REFUSAL_CONDITION &&
        decision_refusal(finding->decision) != REFUSAL_APPROVAL)
        finding->refusal.right = decision_right(finding->decision);
    return false;
}

bool
find_decision(struct passage *passage, const struct request *request, struct arena *arena,
              struct finding *finding)
{
    struct gate *gate = passage->gate;

    return reaches(&passage->asked, finding) &&
           decided(finding, policy_decide(world_policy(gate->reader), &finding->credential.lineage,
                                          request, lane_now_ms(gate->lane), arena));
}

/* A log-in asks for nothing but that there is something to ask for. */
bool
find_admission(struct passage *passage, struct arena *arena, struct finding *finding)
{
    struct gate *gate = passage->gate;

    return reaches(&passage->asked, finding) &&
           decided(finding, policy_admit(world_policy(gate->reader), &finding->credential.lineage,
                                         &passage->asked.request, lane_now_ms(gate->lane), arena));
}

/* An allow of a pinned tool holds for the tool that somebody approved. */
static bool
tool_is_approved(const struct passage *passage, struct finding *finding)
{
    const struct asked *asked = &passage->asked;

    if (asked->tool.size == 0)
        return true;
    switch (world_pin(passage->gate->reader, asked->upstream->name, asked->tool)) {
    case PIN_APPROVED:
        return true;
    case PIN_CHANGED:
        return finding_refuse(finding, GATE_HELD,
                              SLICE_LITERAL("the tool's definition has changed since it was "
                                            "approved: somebody has to look at it first"));
    case PIN_NEW:
        break;
    }
    return finding_refuse(finding, GATE_HELD,
                          SLICE_LITERAL("the tool was never approved: somebody has to look at it "
                                        "first"));
}

/* From the request to an allow, or to the reason against it. Counts nothing, so
 * that what is open can be judged again. */
static bool
judge(struct passage *passage, struct arena *arena, struct finding *finding)
{
    const struct asked *asked = &passage->asked;
    bool known = find_credential(passage, arena, finding);

    if (!is_clear(asked, finding) || !known ||
        !prove(passage, &finding->credential, arena, &finding->refusal))
        return false;
    if (asked->login || asked->free)
        return find_admission(passage, arena, finding);
    return find_decision(passage, &asked->request, arena, finding) &&
           tool_is_approved(passage, finding);
}

bool
finding_refuse_unaudited(struct finding *finding)
{
    finding->refusal = (struct refusal){
        .kind = GATE_BUSY,
        .reason = SLICE_LITERAL("the audit can't be written, so nothing is let through"),
        .retry_after_s = 5,
    };
    return false;
}

/* Asked before a use is taken, so that none is lost to a full journal. */
bool
has_audit_room(struct gate *gate, struct finding *finding)
{
    if (gate->gateway->options.audit_mode == AUDIT_LOSSY || audit_ready(gate->journal))
        return true;
    return finding_refuse_unaudited(finding);
}

static bool
refuse_exhausted(struct finding *finding)
{
    return finding_refuse(finding, GATE_BAD_TOKEN,
                          slice_text(credential_verdict_text(CREDENTIAL_EXHAUSTED)));
}

/* --- the audit ----------------------------------------------------------- */

struct audit_event
describe(const struct passage *passage, const struct request *request,
         const struct finding *finding)
{
    const struct asked *asked = &passage->asked;
    const struct credential *credential = &finding->credential;
    const struct decision *decision = finding->decision;
    bool refused = finding->refusal.kind != GATE_NOTHING;
    struct audit_event event = {
        .at = lane_now_ms(passage->gate->lane),
        .session = asked->session,
        .token = credential->id_text,
        .label = credential->label,
        .chain = credential->chain,
        .subject = credential->subject,
        .resource = request->resource,
        .action = request->action,
        .object = request->object,
        .reason = finding->refusal.reason,
        .agent = asked->agent,
        .peer = request->peer,
        .peer_port = asked->peer_port,
        .decision = refused ? AUDIT_DENY : AUDIT_ALLOW,
    };
    if (credential->lineage.count > 0)
        event.subject_type = slice_text(subject_type_name(credential->subject_type));
    if (asked->request.proof != PROOF_NONE) {
        event.proof =
            asked->request.proof == PROOF_DPOP ? AUDIT_PROOF_DPOP : AUDIT_PROOF_CERTIFICATE;
        event.key = passage->proven.thumbprint;
    }
    if (!refused)
        event.reason = approval_words(passage);
    if (decision != NULL) {
        event.role = decision_role(decision);
        event.right = decision_right(decision);
    }
    return event;
}

void
count_refusal(struct gate_counters *counters, enum gate_refusal kind)
{
    switch (refusal_status(kind)) {
    case 401:
        counter_add(&counters->unauthenticated, 1);
        break;
    case 429:
    case 503:
        counter_add(&counters->limited, 1);
        break;
    case 400:
    case 405:
        counter_add(&counters->malformed, 1);
        break;
    default:
        counter_add(&counters->refused, 1);
        break;
    }
}

/* Without a line there is no answer but that the audit is full. */
static void
refuse(struct passage *passage, struct audit_event *event, struct finding *finding)
{
    struct gate *gate = passage->gate;
    struct audit_outcome outcome = { .status = refusal_status(finding->refusal.kind) };

    event->decision = AUDIT_DENY;
    event->reason = finding->refusal.reason;
    if (audit_line(gate->journal, event, &outcome) != STATUS_OK &&
        gate->gateway->options.audit_mode == AUDIT_STRICT)
        finding_refuse_unaudited(finding);
    count_refusal(&gate->counters, finding->refusal.kind);
    passage->line = event;
    if (passage->wire != NULL)
        passage->door->refuse(passage, &finding->refusal);
    passage_free(passage);
}

static void
admit(struct passage *passage, struct audit_event *event, struct finding *finding)
{
    struct gate *gate = passage->gate;

    if (audit_begin(gate->journal, event, &passage->ticket) != STATUS_OK) {
        finding_refuse_unaudited(finding);
        refuse(passage, event, finding);
        return;
    }
    counter_add(&gate->counters.allowed, 1);
    passage->state = PASSAGE_OPEN;
    passage->line = event;
    if (passage->wire == NULL)
        pipeline_leave(passage, PASSAGE_CLIENT_GONE, 0, 0);
    else
        passage->door->open(passage, finding->decision);
}

/* Exactly one of the two, always. */
void
pipeline_conclude(struct passage *passage, struct finding *finding)
{
    struct audit_event event = describe(passage, &passage->asked.request, finding);

    if (finding->refusal.kind != GATE_NOTHING)
        refuse(passage, &event, finding);
    else
        admit(passage, &event, finding);
}

/* --- one-time uses ------------------------------------------------------- */

/* The picture may be another one than when the claim was asked: what it says now
 * counts, and nothing of the first finding is used. */
static void
claimed(struct use_claim *claim)
{
    struct passage *passage = LANE_OWNER(claim, struct passage, claim);
    struct gate *gate = passage->gate;
    struct finding finding = { 0 };

    passage->counted = claim->status == STATUS_OK && claim->verdict == USE_TAKEN;
    bool allowed = judge(passage, &gate->scratch, &finding);
    if (allowed && claim->status != STATUS_OK)
        finding_refuse(&finding, GATE_BUSY,
                       SLICE_LITERAL("the one-time use could not be made durable"));
    else if (allowed && !passage->counted)
        refuse_exhausted(&finding);
    pipeline_conclude(passage, &finding);
    arena_reset(&gate->scratch);
}

static void
wait_for_claim(struct passage *passage, struct finding *finding)
{
    const struct gateway_ports *ports = passage->gate->gateway->options.ports;

    /* The client may leave meanwhile, and its memory with it. */
    if (!passage_keep(passage)) {
        finding_refuse(finding, GATE_BUSY, SLICE_LITERAL("the gateway is out of memory"));
        pipeline_conclude(passage, finding);
        return;
    }
    passage->state = PASSAGE_WAITING;
    passage->claim = (struct use_claim){
        .lane = passage->gate->lane,
        .id = finding->credential.id,
        .done = claimed,
    };
    ports->claim_use(ports->app, &passage->claim);
}

/* --- the way through ----------------------------------------------------- */

void
pipeline_enter(struct passage *passage, struct arena *arena)
{
    struct gate *gate = passage->gate;
    struct finding finding = { 0 };
    enum use_verdict use = USE_EXHAUSTED;

    bool allowed = judge(passage, arena, &finding);
    if (!allowed && approval_wait(passage, &finding))
        return;
    allowed = allowed && budgets_take(passage, &finding, &passage->budgets) &&
              hold_rates(gate, &finding) && has_audit_room(gate, &finding);
    if (allowed)
        use = world_use(gate->reader, &finding.credential, lane_now_ms(gate->lane));
    passage->counted = use == USE_TAKEN;
    if (allowed && use == USE_EXHAUSTED)
        refuse_exhausted(&finding);

    if (allowed && use == USE_CLAIM)
        wait_for_claim(passage, &finding);
    else
        pipeline_conclude(passage, &finding);
}

bool
pipeline_admit(struct passage *passage, struct arena *arena)
{
    struct finding finding = { 0 };
    bool known = find_credential(passage, arena, &finding);

    if (is_clear(&passage->asked, &finding) && known &&
        prove(passage, &finding.credential, arena, &finding.refusal) &&
        find_admission(passage, arena, &finding))
        return true;
    pipeline_conclude(passage, &finding);
    return false;
}

void
pipeline_drop(struct passage *passage)
{
    passage_free(passage);
}

static bool
look_ahead(struct passage *passage, const struct request *request, struct arena *arena,
           struct finding *finding)
{
    struct request asked = *request;

    asked.peer = passage->asked.request.peer;
    asked.proof = passage->asked.request.proof;
    return find_credential(passage, arena, finding) &&
           find_decision(passage, &asked, arena, finding);
}

bool
pipeline_would(struct passage *passage, const struct request *request, struct arena *arena)
{
    struct finding finding = { 0 };

    return look_ahead(passage, request, arena, &finding);
}

bool
pipeline_could(struct passage *passage, const struct request *request, struct arena *arena)
{
    struct finding finding = { 0 };

    return look_ahead(passage, request, arena, &finding) ||
           (finding.decision != NULL && decision_approval(finding.decision) != NULL);
}

static void
count_latency(struct gate_counters *counters, uint64_t us)
{
    size_t bucket = 0;

    while (bucket < LATENCY_BUCKETS - 1 && us > UINT64_C(64) << bucket)
        bucket++;
    counter_add(&counters->latency[bucket], 1);
    counter_add(&counters->latency_us_sum, us);
}

void
pipeline_leave(struct passage *passage, unsigned status, uint64_t bytes_in, uint64_t bytes_out)
{
    struct gate *gate = passage->gate;
    struct audit_outcome outcome = {
        .status = status,
        .bytes_in = bytes_in,
        .bytes_out = bytes_out,
        .duration_us = lane_mono_us(gate->lane) - passage->began_us,
    };

    audit_end(gate->journal, passage->ticket, &outcome);
    counter_add(&gate->counters.bytes_in, bytes_in);
    counter_add(&gate->counters.bytes_out, bytes_out);
    budgets_spend(gate, passage->budgets, bytes_in + bytes_out);
    count_latency(&gate->counters, outcome.duration_us);
    passage_free(passage);
}

bool
pipeline_abandon(struct passage *passage)
{
    if (passage->state != PASSAGE_WAITING)
        return false;
    passage->wire = NULL;
    approval_forsake(passage);
    return true;
}

void
pipeline_count_failure(struct passage *passage)
{
    counter_add(&passage->gate->counters.upstream_failed, 1);
}

bool
pipeline_still_holds(struct passage *passage, struct arena *arena, struct refusal *why)
{
    struct gate *gate = passage->gate;
    struct finding finding = { 0 };

    if (!judge(passage, arena, &finding)) {
        *why = finding.refusal;
        return false;
    }
    /* A session in which something moves is not idle. */
    uint64_t traffic = passage->door->traffic(passage);
    if (traffic != passage->traffic)
        world_touch(gate->reader, &finding.credential, lane_now_ms(gate->lane));
    passage->traffic = traffic;
    return true;
}
