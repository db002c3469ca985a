// Records a playtest with libgamevault_rec: put this file into Assets, and the library for each platform into
// Assets/Plugins (gamevault_rec.dll, libgamevault_rec.so, libgamevault_rec.dylib). A session begins before the first scene
// and ends when the player quits; warnings and errors go into its log.txt.
//
//   GameVaultRecorder.Event("level_start", "{\"level\":\"L3\"}");
//   GameVaultRecorder.Save("auto", bytes);

using System;
using System.IO;
using System.Runtime.InteropServices;
using System.Text;
using UnityEngine;

public static class GameVaultRecorder
{
    const string Library = "gamevault_rec";

    // Each thread has its own, so that an event leaves no garbage for the collector.
    [ThreadStatic] static byte[] first, second;

    static IntPtr session;

    /// Whether a session is being recorded; all functions may be called when none is.
    public static bool IsRecording { get { return session != IntPtr.Zero; } }

    [RuntimeInitializeOnLoadMethod(RuntimeInitializeLoadType.BeforeSceneLoad)]
    static void BeginWithGame()
    {
        if (Application.isEditor) return;
        string options = "{\"engine\":\"Unity " + Application.unityVersion + "\",\"version\":" + Quote(Application.version) + "}";
        if (!Begin(null, null, options)) Debug.LogWarning("GameVault records no session: " + LastError);
        Application.logMessageReceivedThreaded += OnLog;
        Application.quitting += () => End(0);
    }

    /// Begins a session; null for what the library finds out by itself. False when it cannot, see LastError.
    public static bool Begin(string spool, string build, string options)
    {
        if (IsRecording) return true;
        byte[] spoolBytes = null, buildBytes = null, optionBytes = null;
        session = gv_session_begin(
            Utf8(spool, ref spoolBytes), Utf8(build, ref buildBytes), Utf8(options, ref optionBytes));
        return IsRecording;
    }

    /// Records an event with the text of a JSON object, or null.
    public static int Event(string name, string json = null)
    {
        return gv_event(session, Utf8(name, ref first), Utf8(json, ref second));
    }

    /// Records that something is worth a look.
    public static int Mark(string tag, string text = null)
    {
        return gv_mark(session, Utf8(tag, ref first), Utf8(text, ref second));
    }

    /// Copies a save.
    public static int Save(string slot, byte[] content)
    {
        return gv_save(session, Utf8(slot, ref first), content, (UIntPtr)(content == null ? 0 : content.Length));
    }

    /// Copies a file in the background; it must stay until the end.
    public static int Attach(string path)
    {
        return gv_attach(session, Utf8(Path.GetFullPath(path), ref first));
    }

    /// Adds a line to log.txt.
    public static int Log(string text)
    {
        return gv_log(session, Utf8(text, ref first));
    }

    /// Ends the session: 0 clean, 1 crash, 2 killed.
    public static int End(int status)
    {
        IntPtr ended = session;
        session = IntPtr.Zero;
        return gv_session_end(ended, status);
    }

    /// Why the last function of this thread that failed did.
    public static string LastError { get { return Marshal.PtrToStringAnsi(gv_last_error()); } }

    static void OnLog(string text, string stack, LogType type)
    {
        if (type == LogType.Log) return;
        Log(type + ": " + text + (string.IsNullOrEmpty(stack) ? "" : "\n" + stack));
    }

    // The text with a NUL behind it, in a buffer that is used again.
    static byte[] Utf8(string text, ref byte[] buffer)
    {
        if (text == null) return null;
        int max = Encoding.UTF8.GetMaxByteCount(text.Length) + 1;
        if (buffer == null || buffer.Length < max) buffer = new byte[Math.Max(max, 1024)];
        buffer[Encoding.UTF8.GetBytes(text, 0, text.Length, buffer, 0)] = 0;
        return buffer;
    }

    static string Quote(string text)
    {
        return "\"" + text.Replace("\\", "\\\\").Replace("\"", "\\\"") + "\"";
    }

    [DllImport(Library)] static extern IntPtr gv_session_begin(byte[] spool, byte[] build, byte[] options);
    [DllImport(Library)] static extern int gv_event(IntPtr session, byte[] name, byte[] json);
    [DllImport(Library)] static extern int gv_mark(IntPtr session, byte[] tag, byte[] text);
    [DllImport(Library)] static extern int gv_save(IntPtr session, byte[] slot, byte[] content, UIntPtr len);
    [DllImport(Library)] static extern int gv_attach(IntPtr session, byte[] path);
    [DllImport(Library)] static extern int gv_log(IntPtr session, byte[] text);
    [DllImport(Library)] static extern int gv_session_end(IntPtr session, int status);
    [DllImport(Library)] static extern IntPtr gv_last_error();
}
