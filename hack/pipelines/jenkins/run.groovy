// Runs a declarative Jenkinsfile with JenkinsPipelineUnit, its `sh` for real. Arguments: Jenkinsfile, branch, ROLLBACK (true or false).
// Prints a line for each stage; a stage whose `when` does not hold is skipped. Exit code 1: a step failed.
import com.lesfurets.jenkins.unit.BasePipelineTest

class Run extends BasePipelineTest {
    String branch
    boolean rollback
    Map<String, String> credentials = [:]

    boolean holds(Closure conditions) {
        def found = []
        def rules = [
            expression: { Closure body -> found << (body() as boolean) },
            branch: { String name -> found << (name == branch) },
            not: { Closure body -> found << !holds(body) },
            allOf: { Closure body -> found << holds(body) },
        ]
        conditions.delegate = new Expando(rules + [params: [ROLLBACK: rollback]])
        conditions.resolveStrategy = Closure.DELEGATE_FIRST
        conditions()
        found.every()
    }

    int call(String file) {
        setUp()
        int failed = 0
        def ignored = ['agent', 'options', 'parameters']
        ignored.each { name -> helper.registerAllowedMethod(name, [Closure], { }) }
        ['pipeline', 'stages', 'steps'].each { name -> helper.registerAllowedMethod(name, [Closure], { Closure body -> body() }) }
        helper.registerAllowedMethod('when', [Closure], { Closure body -> if (!holds(body)) throw new Skipped() })
        helper.registerAllowedMethod('stage', [String, Closure], { String name, Closure body ->
            try {
                println "stage ${name}"
                body()
            } catch (Skipped ignoredStage) {
                println "skipped ${name}"
            }
        })
        helper.registerAllowedMethod('file', [Map], { it })
        helper.registerAllowedMethod('withCredentials', [List, Closure], { List found, Closure body ->
            credentials = found.collectEntries { [it.variable, "${System.getenv('CREDENTIALS')}/${it.credentialsId}".toString()] }
            body()
            credentials = [:]
        })
        helper.registerAllowedMethod('input', [Map], { println "approved: ${it.message}" })
        helper.registerAllowedMethod('sh', [String], { String command ->
            def builder = new ProcessBuilder('sh', '-e', '-c', command).inheritIO()
            builder.environment().putAll(credentials)
            int code = builder.start().waitFor()
            if (code != 0) throw new Failed("${command} ended with exit code ${code}")
        })
        binding.setVariable('params', [ROLLBACK: rollback])
        try {
            loadScript(file).run()
        } catch (Failed error) {
            println "failed: ${error.message}"
            failed = 1
        }
        failed
    }
}

class Skipped extends RuntimeException { }

class Failed extends RuntimeException {
    Failed(String message) { super(message) }
}

def run = new Run(branch: args[1], rollback: args[2].toBoolean())
System.exit(run.call(args[0]))
