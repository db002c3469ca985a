# A game for the tests: 17 events in each of 60 frames a second, a save in each twentieth; ends after FRAMES of them, or
# goes on until it is killed. Prints what events took.
extends Node

const PER_FRAME = 17

var _frames = 0
var _number = 0
var _usec = 0
var _last = int(OS.get_environment("FRAMES"))


func _ready():
	Engine.target_fps = 60
	GameVault.log_line("loading L3")
	GameVault.mark("größe", "naïve \"text\"")
	GameVault.event("odd", {"t": 1, "deep": {"a": [1, 2.5, null, true]}})


func _process(_delta):
	var before = OS.get_ticks_usec()
	for _event in range(PER_FRAME):
		GameVault.event("step", {"n": _number, "level": "L3", "x": 12.5, "hp": 77})
		_number += 1
	_usec += OS.get_ticks_usec() - before
	_frames += 1
	if _frames % 20 == 0:
		GameVault.save("slot/1", PoolByteArray([0, 1, 2, _frames % 256]))
	print("told ", _number)
	if _frames == _last:
		print("mean ", float(_usec) / _number)
		get_tree().quit()
