# Records a playtest into a spool folder, from which GameVault collects it. For Godot 3, in GDScript alone: no library to
# build or ship. Copy `addons/gamevault_recorder` into the project and add this file to Project > Autoload as `GameVault`.
#
#   GameVault.event("level_start", {"level": "L3"})
#   GameVault.save("auto", bytes)
#
# A session begins with the game and ends when it quits. A thread writes what waits every few milliseconds; a game that is
# killed loses what it recorded since, and the saves that waited.
extends Node

const INTERVAL_MSEC = 5
# More than these are dropped and counted, as when the disk is full.
const MAX_WAITING = 20000
const MAX_SAVE_BYTES = 67108864
# So often an event is written when the game records none: a session whose files are old is taken for one that was killed.
const ALIVE_MSEC = 30000
const DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

var _mutex = Mutex.new()
var _thread = Thread.new()
var _is_recording = false
var _is_ending = false
var _waiting = []
var _waiting_bytes = 0
var _dropped = 0
var _start_usec = 0
# All below are the thread's while it runs.
var _folder = ""
var _done = ""
var _session = {}
var _told_dropped = 0
var _lines = ""
var _log = ""
var _last_write_msec = 0


func _ready():
	pause_mode = Node.PAUSE_MODE_PROCESS
	if not Engine.editor_hint and not begin():
		push_warning("GameVault records no session")


func _notification(what):
	if what == MainLoop.NOTIFICATION_CRASH:
		_session["exit"] = "crash"
	elif what == NOTIFICATION_PREDELETE:
		end()


# Begins a session; false when it cannot. Empty texts are found out: the build by `gamevault.json` beside the program or in
# the working folder, the spool by GAMEVAULT_SPOOL or as GameVault/spool in the user's data folder.
func begin(build = "", options = {}, spool = ""):
	if _is_recording:
		return true
	if spool == "":
		spool = _default_spool()
	if spool == "":
		return false
	var id = _new_id()
	_done = spool.plus_file(id)
	_folder = _done + ".open"
	var directory = Directory.new()
	if directory.make_dir_recursive(_folder.plus_file("saves")) != OK:
		return false
	_session = options.duplicate()
	var is_told = build != "" or options.has("build") or options.has("stamp")
	var stamp = {} if is_told else _stamp()
	for key in ["stamp", "build", "vault", "version"]:
		if stamp.has(key):
			_session[key] = stamp[key]
	if build != "":
		_session["build"] = build
	_session["schema"] = 1
	_session["id"] = id
	_session["started"] = _now()
	_session["engine"] = "Godot " + Engine.get_version_info()["string"]
	_session["platform"] = OS.get_name()
	_start_usec = OS.get_ticks_usec()
	_last_write_msec = OS.get_ticks_msec()
	if not _write_session() or not _append("events.jsonl", ""):
		return false
	_is_ending = false
	_is_recording = _thread.start(self, "_write_what_waits") == OK
	return _is_recording


# Records an event; `fields` are copied. Returns false when it is dropped, or nothing is recorded.
func event(name, fields = {}):
	return _put(["event", OS.get_ticks_usec() - _start_usec, name, fields.duplicate(true)], 0)


# Records that something is worth a look.
func mark(tag, text = ""):
	return _put(["event", OS.get_ticks_usec() - _start_usec, "mark", {"tag": tag, "text": text}], 0)


# Copies a save, a PoolByteArray.
func save(slot, content):
	return _put(["save", OS.get_ticks_usec() - _start_usec, _word(slot), content], content.size())


# Adds a line to log.txt.
func log_line(text):
	return _put(["log", OS.get_ticks_usec() - _start_usec, text], 0)


# Returns what was lost so far.
func dropped():
	_mutex.lock()
	var count = _dropped
	_mutex.unlock()
	return count


# Ends the session, and waits until all is written; `exit` is clean, crash or killed.
func end(exit = "clean"):
	if not _is_recording:
		return
	_mutex.lock()
	_is_recording = false
	_is_ending = true
	_mutex.unlock()
	_thread.wait_to_finish()
	if not _session.has("exit"):
		_session["exit"] = exit
	_session["ended"] = _now()
	if _dropped > 0:
		_session["dropped"] = _dropped
	if _lines == "" and _write_session():
		Directory.new().rename(_folder, _done)


func _put(item, bytes):
	_mutex.lock()
	var fits = _waiting.size() < MAX_WAITING and _waiting_bytes + bytes <= MAX_SAVE_BYTES
	var is_taken = _is_recording and fits
	if is_taken:
		_waiting.append(item)
		_waiting_bytes += bytes
	elif _is_recording:
		_dropped += 1
	_mutex.unlock()
	return is_taken


# The thread.
func _write_what_waits(_unused):
	while true:
		_mutex.lock()
		var items = _waiting
		_waiting = []
		var is_last = _is_ending
		var lost = _dropped - _told_dropped
		_mutex.unlock()
		var saved = 0
		for item in items:
			if item[0] == "event":
				_add_event(item[1], item[2], item[3])
			elif item[0] == "log":
				_log += "%s %s\n" % [_seconds(item[1]), item[2].strip_edges(false, true)]
			else:
				_write_save(item[1], item[2], item[3])
				saved += item[3].size()
		if lost > 0:
			_add_event(OS.get_ticks_usec() - _start_usec, "dropped", {"count": lost})
			_told_dropped += lost
		if _lines == "" and OS.get_ticks_msec() - _last_write_msec > ALIVE_MSEC:
			_add_event(OS.get_ticks_usec() - _start_usec, "alive", {})
		_flush()
		_mutex.lock()
		_waiting_bytes -= saved
		_mutex.unlock()
		if is_last:
			return
		OS.delay_msec(INTERVAL_MSEC)


# What cannot be written stays for the next time, in bounded memory.
func _flush():
	if _lines != "" and _append("events.jsonl", _lines):
		_lines = ""
		_last_write_msec = OS.get_ticks_msec()
	if _log != "" and _append("log.txt", _log):
		_log = ""
	if _lines.length() + _log.length() > MAX_SAVE_BYTES:
		_mutex.lock()
		_dropped += _lines.count("\n")
		_mutex.unlock()
		_lines = ""
		_log = ""


func _add_event(usec, name, fields):
	var members = to_json(fields)
	if fields.has("t") or fields.has("ev"):
		members = "{\"fields\":" + members + "}"
	var rest = "" if fields.empty() else "," + members.substr(1, members.length() - 2)
	_lines += "{\"t\":%s,\"ev\":%s%s}\n" % [_seconds(usec), to_json(str(name)), rest]


func _write_save(usec, slot, content):
	var name = "saves/%s_%s" % [_seconds(usec), slot]
	var directory = Directory.new()
	var number = 2
	var target = name + ".sav"
	while directory.file_exists(_folder.plus_file(target)):
		target = "%s-%d.sav" % [name, number]
		number += 1
	var part = _folder.plus_file(target + ".part")
	var file = File.new()
	var code = file.open(part, File.WRITE)
	if code == OK:
		file.store_buffer(content)
		code = file.get_error()
		file.close()
	if code == OK:
		code = directory.rename(part, _folder.plus_file(target))
	if code == OK:
		_add_event(usec, "save", {"slot": slot, "file": target, "bytes": content.size()})
		return
	directory.remove(part)
	_add_event(usec, "save", {"slot": slot, "error": "Godot's error %d" % code})
	_mutex.lock()
	_dropped += 1
	_mutex.unlock()


func _append(name, text):
	var path = _folder.plus_file(name)
	var file = File.new()
	var mode = File.READ_WRITE if file.file_exists(path) else File.WRITE
	if file.open(path, mode) != OK:
		return false
	file.seek_end()
	file.store_string(text)
	var is_written = file.get_error() == OK
	file.close()
	return is_written


func _write_session():
	var part = _folder.plus_file("session.json.part")
	var file = File.new()
	if file.open(part, File.WRITE) != OK:
		return false
	file.store_string(JSON.print(_session, "  ") + "\n")
	file.close()
	return Directory.new().rename(part, _folder.plus_file("session.json")) == OK


func _stamp():
	for folder in [OS.get_executable_path().get_base_dir(), "."]:
		var file = File.new()
		if file.open(folder.plus_file("gamevault.json"), File.READ) == OK:
			var parsed = JSON.parse(file.get_as_text())
			if parsed.error == OK and parsed.result is Dictionary:
				if parsed.result.has("stamp") or parsed.result.has("build"):
					return parsed.result
	return {}


func _default_spool():
	var named = OS.get_environment("GAMEVAULT_SPOOL")
	if named != "":
		return named
	var data = OS.get_environment("XDG_DATA_HOME")
	var home = OS.get_environment("HOME")
	match OS.get_name():
		"Windows":
			data = OS.get_environment("LOCALAPPDATA")
		"OSX":
			data = home.plus_file("Library/Application Support") if home != "" else ""
		"X11", "Server":
			if not data.is_abs_path():
				data = home.plus_file(".local/share") if home != "" else ""
		_:
			data = OS.get_user_data_dir()
	return data.plus_file("GameVault/spool") if data != "" else ""


# A ULID: the time in milliseconds and 80 random bits.
func _new_id():
	var id = ""
	var msec = OS.get_system_time_msecs()
	for _place in range(10):
		id = DIGITS[msec % 32] + id
		msec /= 32
	var random = RandomNumberGenerator.new()
	random.randomize()
	for _place in range(16):
		id += DIGITS[random.randi() % 32]
	return id


# RFC 3339, in UTC.
func _now():
	var msec = OS.get_system_time_msecs()
	var date = OS.get_datetime_from_unix_time(msec / 1000)
	return "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ" % [
		date.year, date.month, date.day, date.hour, date.minute, date.second, msec % 1000]


func _seconds(usec):
	var msec = usec / 1000
	return "%d.%03d" % [msec / 1000, msec % 1000]


# The text as a part of a file's name that all systems take.
func _word(text):
	var word = ""
	for letter in str(text).left(64):
		word += letter if letter in "-_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" else "_"
	return word if word != "" else "save"
