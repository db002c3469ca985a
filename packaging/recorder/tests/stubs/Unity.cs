// What of UnityEngine the wrapper uses, and a game that records with it. For the tests alone.

using System;

namespace UnityEngine
{
    public enum RuntimeInitializeLoadType { BeforeSceneLoad }
    public enum LogType { Error, Assert, Warning, Log, Exception }

    public class RuntimeInitializeOnLoadMethodAttribute : Attribute
    {
        public RuntimeInitializeOnLoadMethodAttribute(RuntimeInitializeLoadType type) { }
    }

    public static class Application
    {
        public delegate void LogCallback(string text, string stack, LogType type);
        public static event LogCallback logMessageReceivedThreaded;
        public static event Action quitting;
        public static bool isEditor { get { return false; } }
        public static string unityVersion { get { return "2022.3.1f1"; } }
        public static string version { get { return "0.7 \"beta\""; } }

        public static void Say(string text, LogType type) { logMessageReceivedThreaded(text, "at Hero.Fall ()", type); }
        public static void Quit() { quitting(); }
    }

    public static class Debug
    {
        public static void LogWarning(string text) { Console.Error.WriteLine(text); }
    }
}

static class Game
{
    static int Main(string[] arguments)
    {
        // As the engine does, by reflection.
        var flags = System.Reflection.BindingFlags.NonPublic | System.Reflection.BindingFlags.Static;
        typeof(GameVaultRecorder).GetMethod("BeginWithGame", flags).Invoke(null, null);
        if (!GameVaultRecorder.IsRecording) return 1;
        for (int number = 0; number < 1000; number++) GameVaultRecorder.Event("step", "{\"n\":" + number + "}");
        GameVaultRecorder.Mark("größe", "naïve");
        GameVaultRecorder.Save("auto", new byte[] { 1, 0, 2 });
        if (GameVaultRecorder.Attach("no such file") != -5 || !GameVaultRecorder.LastError.Contains("no such file")) return 2;
        UnityEngine.Application.Say("fell", UnityEngine.LogType.Exception);
        UnityEngine.Application.Say("boring", UnityEngine.LogType.Log);
        UnityEngine.Application.Quit();
        return GameVaultRecorder.Event("late") == -1 ? 0 : 3;
    }
}
