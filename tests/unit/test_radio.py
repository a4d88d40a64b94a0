"""How frames came over the air: read from both network servers, folded into counters, losses and links."""

import msgspec
import pytest
from chirpstack_api import integration
from google.protobuf.json_format import MessageToJson

from citynet.model import HeardBy, RadioFrame
from gateway.wire import Heard, Reception
from ingest.radio import DAY_US, DAYS, DeviceRadio, Weakness, fold, judge, links
from tests.support.gateway import APPLICATION, BIN, NOON_US, chirpstack, decoder, things_stack

SESSION = "01ab23cd"
HALF_FULL = bytes.fromhex("6500d90362")


def up(*, f_port: int = 10) -> integration.UplinkEvent:
    made = integration.UplinkEvent(f_cnt=7, f_port=f_port, data=HALF_FULL, dev_addr=SESSION, dr=5)
    made.time.FromMicroseconds(NOON_US)
    made.device_info.application_id, made.device_info.dev_eui = APPLICATION, BIN
    made.tx_info.modulation.lora.spreading_factor, made.tx_info.frequency = 9, 867_100_000
    near = made.rx_info.add(gateway_id="0016c001f1500001", rssi=-97, snr=7.5)
    near.location.longitude, near.location.latitude = 37.75, 44.5
    made.rx_info.add(gateway_id="0016c001f1500002", rssi=-118, snr=-9.25)
    return made


FAR, NEAR = Heard("0016c001f1500002", -118.0, -9.25), Heard("0016c001f1500001", -97.0, 7.5, 37.75, 44.5)


@pytest.mark.parametrize("f_port", [10, 0])
@pytest.mark.parametrize("body", [lambda made: MessageToJson(made).encode(), lambda made: made.SerializeToString()])
def test_chirpstack_says_who_heard_a_frame(body: object, f_port: int) -> None:
    """By JSON and by protobuf; a frame without values counts too, or its counter would look like a loss."""
    assert callable(body)
    draft = decoder().decode([chirpstack(body(up(f_port=f_port)))])
    assert [reception for _, _, reception in draft.receptions] == [Reception(SESSION, 7, 9, [FAR, NEAR], 867_100_000)]


def test_the_things_stack_says_it_too() -> None:
    heard = [{"gateway_ids": {"gateway_id": "gtw1", "eui": "9C5C8E00001A05C4"}, "rssi": -35, "snr": 5}]
    uplink = {"f_cnt": 3, "f_port": 10, "frm_payload": "ZQDZA2I=", "rx_metadata": heard}
    uplink["settings"] = {"data_rate": {"lora": {"spreading_factor": 7}}, "frequency": "868300000"}
    body = {"end_device_ids": {"dev_addr": "260BCB29"}, "uplink_message": uplink}
    draft = decoder().decode([things_stack(body)])
    assert draft.receptions[0][2] == Reception("260BCB29", 3, 7, [Heard("9c5c8e00001a05c4", -35.0, 5.0)], 868_300_000)


@pytest.mark.parametrize("rx", [b'"no list"', b'[{"rssi": "strong"}]', b"[[[]]]", b"null"])
def test_what_a_gateway_writes_wrongly_costs_no_value(rx: bytes) -> None:
    draft = decoder().decode([chirpstack(b'{"fCnt": 1, "fPort": 10, "data": "ZQDZA2I=", "rxInfo": ' + rx + b"}")])
    assert (len(draft.value), draft.receptions, draft.notices) == (4, [], [])


def test_impossible_figures_are_left_out() -> None:
    views = [
        ("", -80, 1),
        ("far\n", -80, 1),
        ("a", -900, 1),
        ("b", -80, 1e9),
        ("c", -80, 1),
        *((f"g{n}", n - 120, 0) for n in range(9)),
    ]
    rx = [{"gatewayId": name, "rssi": rssi, "snr": snr} for name, rssi, snr in views]
    body = {"fCnt": 1, "fPort": 10, "data": "ZQDZA2I=", "rxInfo": rx, "dr": 0}
    ((_, _, reception),) = decoder().decode([chirpstack(body)]).receptions
    assert reception.spreading == 12
    assert [one.gateway for one in reception.heard] == [*(f"g{n}" for n in range(2, 9)), "c"]


def frames(*counters: int, every_s: float = 900.0, session: str = SESSION, start: int = 0) -> list[RadioFrame]:
    """Frames of device 1 with these counters."""
    return [
        RadioFrame(
            device_id=1,
            arrived_ns=start + n + 1,
            time_us=NOON_US + round((start + n) * every_s * 1e6),
            session=session,
            f_cnt=count,
            spreading=9,
            heard=[HeardBy("a", -100.0 - n, 5.0)],
        )
        for n, count in enumerate(counters)
    ]


def folded(*several: list[RadioFrame]) -> tuple[DeviceRadio, list[tuple[str, int, int]]]:
    known = DeviceRadio(1)
    found = [fold(known, frame) for part in several for frame in part]
    return known, [(one.kind, one.was, one.came) for one in found if one]


def test_gaps_are_losses() -> None:
    known, odd = folded(frames(10, 11, 14, 15))
    assert (sum(known.frames), sum(known.lost), known.f_cnt, odd) == (4, 2, 15, [])
    assert (known.rssi, known.snr, known.spreading) == (-103.0, 5.0, 9)


def test_the_same_frames_again_change_nothing() -> None:
    told = frames(10, 11, 14)
    once, _ = folded(told)
    again, odd = folded(told, told)
    assert (again, odd) == (once, [])


@pytest.mark.parametrize("came", [0, 1, 2])
def test_a_counter_that_begins_again(came: int) -> None:
    known, odd = folded(frames(4711, came, came + 1))
    assert odd == [("reset", 4711, came)]
    assert (known.resets, known.replays, sum(known.lost), known.f_cnt) == (1, 0, 0, came + 1)


def test_one_whose_first_frames_nobody_heard() -> None:
    known, odd = folded(frames(4711, 40, 42, 43))
    assert odd == [("replay", 4711, 40), ("reset", 4711, 42)]
    assert (known.resets, known.replays, known.f_cnt) == (1, 0, 43)


def test_an_old_frame_again_is_a_replay_and_moves_nothing() -> None:
    known, odd = folded(frames(900, 500, 901, 901))
    assert odd == [("replay", 900, 500), ("replay", 901, 901)]
    assert (known.resets, known.replays, sum(known.lost), known.f_cnt) == (0, 2, 0, 901)


def test_a_second_try_and_a_wrong_order_are_neither() -> None:
    known, odd = folded(frames(10, 12, 12, 11, every_s=3.0))
    assert (odd, sum(known.frames), sum(known.lost)) == ([], 3, 0)


@pytest.mark.parametrize("join", [True, False])
def test_a_new_session_starts_afresh(join: bool) -> None:
    joined = RadioFrame(device_id=1, arrived_ns=3, time_us=NOON_US, session="", f_cnt=-1, spreading=0, heard=[])
    middle = [joined] if join else []
    known, odd = folded(frames(4711, 4712), middle, frames(5, 6, session=SESSION if join else "02ffffff", start=4))
    assert (odd, known.f_cnt, sum(known.frames), sum(known.lost)) == ([], 6, 4, 0)


def test_a_month_is_kept() -> None:
    known, _ = folded(frames(*range(0, 200, 2), every_s=DAY_US / 1e6))
    assert (known.frames, known.lost) == ([1] * DAYS, [1] * DAYS)
    later, _ = folded(frames(1, 3), frames(4, every_s=10 * DAYS * DAY_US / 1e6, start=5))
    assert (sum(later.frames), sum(later.lost)) == (1, 0)


def test_links() -> None:
    (link,) = links(frames(1, 2, 3))
    assert (link["gateway"], link["frames"], link["rssi"], link["snr"]) == ("a", 3, -101.0, 5.0)
    assert msgspec.json.encode(link)


def judged(counters: list[int], snr: list[float], *, every_s: float = 3_600.0) -> list[Weakness]:
    """A frame each hour with such a counter and SNR at SF 9 (which needs -12.5 dB); what was told of."""
    known, found = DeviceRadio(1), []
    for frame, level in zip(frames(*counters, every_s=every_s), snr, strict=True):
        fold(known, msgspec.structs.replace(frame, heard=[HeardBy("a", -110.0, level)]))
        found += [one for one in [judge(known)] if one]
    return found


def test_a_thin_signal_is_told_of_after_twenty_frames_and_when_it_is_good_again() -> None:
    thin, good = [-10.5, -11.5, -10.0] * 20, [-5.0] * 40
    assert judged(list(range(19)), thin[:19]) == []
    found = judged(list(range(100)), thin + good)
    assert [one.over for one in found] == [False, True]
    assert found[0].margin == pytest.approx(1.8, abs=0.1)
    assert judged(list(range(60)), [*([-8.0] * 19), -20.0, *([-8.0] * 40)]) == []


def test_losses_count_on_three_days_so_that_an_outage_of_a_gateway_is_none() -> None:
    outage = [*range(200), *range(224, 330)]
    assert judged(outage, [5.0] * len(outage)) == []
    lossy = list(range(0, 400, 2))
    (told,) = judged(lossy, [5.0] * 200)
    assert told.loss == pytest.approx(0.49, abs=0.01)
    back = [*lossy, *range(400, 400 + 40 * 24)]
    assert [one.over for one in judged(back, [5.0] * len(back))] == [False, True]
