"""The copies of videos that are kept play in a real browser as the originals do."""

import base64
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "media"))

from test_videos import FILMS, copied  # noqa: E402

from cityverse.data.videos import check_video  # noqa: E402

# Draws the film at four moments, and says how loud it is as a whole.
WATCH = """async ([data, kind]) => {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  const video = document.createElement("video");
  video.muted = true;
  const ready = new Promise((resolve, reject) => {
    video.oncanplaythrough = resolve;
    video.onerror = () => reject(new Error(video.error.message));
  });
  video.src = URL.createObjectURL(new Blob([bytes], { type: kind }));
  await ready;
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const seen = [];
  for (const moment of [0.05, 0.65, 1.25, 1.75]) {
    const there = new Promise((resolve) => { video.onseeked = resolve; });
    video.currentTime = moment;
    await there;
    pen.clearRect(0, 0, canvas.width, canvas.height);
    pen.drawImage(video, 0, 0);
    seen.push(Array.from(pen.getImageData(0, 0, canvas.width, canvas.height).data).join());
  }
  const sound = await new OfflineAudioContext(1, 16000, 16000).decodeAudioData(bytes.buffer);
  const heard = Array.from(sound.getChannelData(0)).reduce((sum, one) => sum + one * one, 0);
  return [canvas.width, canvas.height, video.duration, seen, heard];
}"""

# Records moving squares, as a page that films does.
RECORD = """async (kind) => {
  if (!MediaRecorder.isTypeSupported(kind)) return null;
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [64, 48];
  const pen = canvas.getContext("2d");
  let turn = 0;
  const drawing = setInterval(() => {
    pen.fillStyle = `hsl(${(turn += 30)}, 90%, 50%)`;
    pen.fillRect(0, 0, 64, 48);
  }, 40);
  const recorder = new MediaRecorder(canvas.captureStream(25), { mimeType: kind });
  const parts = [];
  recorder.ondataavailable = (event) => parts.push(event.data);
  const ended = new Promise((resolve) => { recorder.onstop = resolve; });
  recorder.start(300);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  recorder.stop();
  await ended;
  clearInterval(drawing);
  return Array.from(new Uint8Array(await new Blob(parts).arrayBuffer()));
}"""


def plays(chromium, kind):
    page = chromium.new_page()
    can = page.evaluate("kind => document.createElement('video').canPlayType(kind)", kind)
    page.close()
    return bool(can)


@pytest.mark.parametrize("name", FILMS)
def test_a_copy_plays_as_the_original_does(name, chromium):
    kind = "video/mp4" if name.endswith(".mp4") else "video/webm"
    if not plays(chromium, 'video/mp4; codecs="avc1.64000a, mp4a.40.2"' if "mp4" in name else kind):
        pytest.skip(f"this browser does not play {kind}")
    page = chromium.new_page()
    page.set_default_timeout(60_000)
    page.goto("about:blank")
    original, copy = (
        page.evaluate(WATCH, [base64.b64encode(data).decode(), kind])
        for data in (FILMS[name], copied(FILMS[name]))
    )
    page.close()
    assert copy == original
    width, height, duration, seen, heard = copy
    assert (width, height) == (64, 48)
    assert 1.9 < duration < 2.5
    assert len(set(seen)) == 4
    assert heard > 1


@pytest.mark.parametrize("kind", ["video/webm", "video/mp4"])
def test_what_a_browser_records_is_taken(kind, chromium):
    page = chromium.new_page()
    page.goto("about:blank")
    recorded = page.evaluate(RECORD, kind)
    page.close()
    if recorded is None:
        pytest.skip(f"this browser does not record {kind}")
    data = bytes(recorded)
    video = check_video(len(data), lambda offset, length: data[offset : offset + length])
    assert (video.content_type, video.width, video.height) == (kind, 64, 48)
    copied(data)
